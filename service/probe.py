"""The probe from the inside: ApiServer waits for it, and `python -m service.probe` is the image's HEALTHCHECK."""

import json
import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from service.settings import ServiceSettings

PROBE_TIMEOUT_S = 2.0
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound


def probe(host: str, port: int) -> int | None:
    """Return the process id that `GET /` answers with; None where it does not answer 200 within PROBE_TIMEOUT_S."""
    connection = HTTPConnection("127.0.0.1" if host == ANY_ADDRESS else host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read()
        return int(json.loads(body)["pid"]) if response.status == HTTPStatus.OK else None
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


if __name__ == "__main__":
    settings = ServiceSettings.from_environ(os.environ)
    sys.exit(0 if probe(settings.host, settings.port) else 1)
