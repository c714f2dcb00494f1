"""`python -m service`: azmlinfsrv with service/score.py as its entry script, and JSON for each line of its log.

Arguments are azmlinfsrv's own.
"""

import json
import logging.config
import os
import signal
import sys
from pathlib import Path

from service import logs
from service.telemetry import leave_out_telemetry

SERVICE = Path(__file__).resolve().parent


def main() -> None:
    """Run azmlinfsrv in this process."""
    # azmlinfsrv and gunicorn take a while to import, and there is nothing to drain before.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    logging.config.dictConfig(json.loads((SERVICE / "logging.json").read_text(encoding="utf-8")))
    logs.capture_output()
    sys.argv = ["azmlinfsrv", "--entry_script", str(SERVICE / "score.py"), *sys.argv[1:]]
    own = f"--config={SERVICE / 'gunicorn_conf.py'}"
    os.environ["GUNICORN_CMD_ARGS"] = f"{own} {os.environ.get('GUNICORN_CMD_ARGS', '')}".rstrip()
    leave_out_telemetry(os.environ)

    # No type information, and a while to import.
    from azureml_inference_server_http import amlserver  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    amlserver.load_logging_config = lambda _: True  # it would go back to plain text
    amlserver.run()


if __name__ == "__main__":
    main()
