"""The entry script that azmlinfsrv loads: init() brings up the scoring server, run() is not the way in."""

import atexit
import logging
import os
import sys
from http import HTTPStatus

from azureml_inference_server_http.api.aml_response import AMLResponse  # type: ignore[import-untyped]  # ships none

from service.api_server import ApiServer
from service.errors import error_body
from service.model_artefacts import find_model
from service.settings import APP_ROOT, ServiceSettings

# The one exit code at which gunicorn stops altogether instead of starting another worker.
GUNICORN_BOOT_ERROR = 3

logger = logging.getLogger("service.score")  # azmlinfsrv loads this file under another name


def init() -> None:
    """Find the model, start the scoring server and return when it answers.

    azmlinfsrv calls this once in each of its workers. Raises where the server cannot start, which ends azmlinfsrv, and
    with it the container.
    """
    settings = ServiceSettings.from_environ(os.environ)
    logger.info("score.init() started on PID %d", os.getpid())
    model_path = find_model(settings.model_dir)
    os.environ["AZUREML_MODEL_PATH"] = str(model_path)
    server = ApiServer(host=settings.host, port=settings.port, app_root=APP_ROOT, on_unexpected_end=_end_worker)
    atexit.register(server.terminate)
    server.start()
    logger.info("score.init() finished; POST /score is answered on %d", settings.port)


def run(data: str) -> AMLResponse:
    """Refuse with 421: requests go to POST /score or POST /predict on the scoring port."""
    del data
    port = ServiceSettings.from_environ(os.environ).port
    message = f"azmlinfsrv does not predict here; send the request to port {port}, as inference_config routes it."
    return AMLResponse(
        error_body("misdirected_request", message, "port"), HTTPStatus.MISDIRECTED_REQUEST, json_str=True
    )


def _end_worker(exit_code: int) -> None:
    logger.critical("the scoring server ended with exit code %d; ending this worker, and azmlinfsrv with it", exit_code)
    sys.stdout.flush()
    os._exit(GUNICORN_BOOT_ERROR)
