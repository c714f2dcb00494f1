"""Settings of azmlinfsrv's gunicorn that its command line has no option for; `python -m service` names this file."""

import json
import logging.config
import os
import signal
from pathlib import Path
from typing import Any

from service import logs
from service.process import end_with_parent

logging.config.dictConfig(json.loads(Path(__file__).with_name("logging.json").read_text(encoding="utf-8")))

# Until gunicorn handles it, which is after init() where the application is preloaded: PID 1 ignores a signal that it
# has no handler for. The scoring server ends with this process.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

loglevel = logs.LEVEL.lower()

# A socket in the home folder, the same for each process of this user: two deployments on one machine would share it.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Move azmlinfsrv from 0.0.0.0 to loopback: callers and probes use the scoring port alone."""
    port = server.cfg.settings["bind"].get()[0].rpartition(":")[2]
    server.cfg.set("bind", [f"127.0.0.1:{port}"])


def post_fork(server: Any, worker: Any) -> None:
    """End a worker with the master; on its own it would look for it only every 150 s."""
    del server
    end_with_parent(worker.ppid, signal.SIGTERM)
