"""A server small enough to be the whole of a bundle: it says its name, echoes, answers any status, sleeps, exits."""

import json
import os
import signal
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """`/` is the probe; `/status/N` answers N; `/sleep/S` answers after S seconds; `/exit` ends the process.

    `/sicken` makes the probe answer 503; `/list/NAME` lists the folder that the variable NAME names; `/write/PATH`
    says how writing there ends.
    """

    protocol_version = "HTTP/1.1"
    is_sick = False
    start_id = str(uuid.uuid4())

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._answer(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def _answer(self, body: bytes) -> None:
        status = 200
        seen: list[str] | str | None = None
        verb, _, value = self.path.partition("?")[0].strip("/").partition("/")
        if verb == "status":
            status = int(value)
        elif verb == "sleep":
            time.sleep(float(value))
            say(f"slept {value}")
        elif verb == "exit":
            os._exit(7)
        elif verb == "sicken":
            Handler.is_sick = True
        elif not verb and Handler.is_sick:
            status = 503
        elif verb == "list":
            seen = sorted(path.name for path in Path(os.environ[value]).iterdir())
        elif verb == "write":
            seen = written(f"/{value}")
        content = json.dumps(
            {
                "name": os.environ.get("NAME", ""),
                "path": self.path,
                "body": body.decode(),
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "variables": sorted(os.environ),
                "start_id": Handler.start_id,
                "seen": seen,
            }
        ).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-model-version", "7")
        self.end_headers()
        self.wfile.write(content)


def written(path: str) -> str:
    """Answer what the system says to a file there."""
    try:
        Path(path).touch()
    except OSError as error:
        return str(error.strerror)
    return "written"


def say(text: str) -> None:
    """Write a line to the log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # The first process of a container has no default action for SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say("tiny server starts")
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    ThreadingHTTPServer((address, int(sys.argv[1])), Handler).serve_forever()
