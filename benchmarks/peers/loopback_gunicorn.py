"""Has azmlinfsrv listen on loopback instead of 0.0.0.0, and changes nothing else."""

from typing import Any


def on_starting(server: Any) -> None:
    port = server.cfg.settings["bind"].get()[0].rpartition(":")[2]
    server.cfg.set("bind", [f"127.0.0.1:{port}"])
