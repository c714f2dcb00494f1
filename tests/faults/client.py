"""A client of the endpoint that releases are made on, and how it learns the way there."""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from deployment.background import BackgroundClient
from deployment.scoring import ScoringClient

ASKS_EVERY_S = 0.02
BODY = {"data": [[1.0]]}


class ClientProcess:
    """A client of the endpoint's own route in a process of its own, from the first good answer to its stop.

    It waits for a file that holds scoring URI and key: before a first release nobody has them.
    """

    def __init__(self, route: Path) -> None:
        self._read_end, write_end = os.pipe()
        self._process_id = os.fork()
        if self._process_id == 0:
            os.close(self._read_end)
            self._run(route, write_end)
        os.close(write_end)

    def stop(self) -> dict[str, int]:
        """Return how many of its requests were answered, and how many failed."""
        os.kill(self._process_id, signal.SIGTERM)
        with os.fdopen(self._read_end, "rb") as pipe:
            said = json.loads(pipe.read() or b'{"answered": 0, "failed": -1}')
        os.waitpid(self._process_id, 0)
        return dict(said)

    def _run(self, route: Path, write_end: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        said = {"answered": 0, "failed": 0}
        try:
            if found := awaited_route(route):
                with (
                    ScoringClient(*found) as client,
                    BackgroundClient(client, [BODY], interval_s=ASKS_EVERY_S) as background,
                ):
                    signal.sigwait({signal.SIGTERM})
                said = {"answered": background.answered.total(), "failed": background.failures}
            os.write(write_end, json.dumps(said).encode())
        finally:
            sys.stdout.flush()
            os._exit(0)


def awaited_route(route: Path) -> tuple[str, str] | None:
    """Return URI and key as soon as a request to them is answered well; None where SIGTERM comes before that."""
    while signal.sigtimedwait({signal.SIGTERM}, ASKS_EVERY_S) is None:
        with contextlib.suppress(OSError, ValueError):
            scoring_uri, key = json.loads(route.read_text(encoding="utf-8"))
            with ScoringClient(scoring_uri, key) as client:
                if client.score(BODY).ok:
                    return scoring_uri, key
    return None


def tell(route: Path, scoring_uri: str, key: str) -> None:
    """Let a client that waits have the endpoint's route."""
    route.write_text(json.dumps([scoring_uri, key]), encoding="utf-8")


def connect_and_tell(route: Path, scoring_uri: str, key: str, **options: Any) -> ScoringClient:
    """Connect as a release does, and let a client that waits know where to."""
    tell(route, scoring_uri, key)
    return ScoringClient(scoring_uri, key, **options)
