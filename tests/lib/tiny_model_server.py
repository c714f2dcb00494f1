"""The smallest server that a release can take for a model: every row is predicted as 1."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """`GET /` is the probe, `POST /score` the prediction."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer would otherwise wait 40 ms for each other.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer the probe."""
        self.answer(b'"alive"')

    def do_POST(self) -> None:
        """Answer one prediction a row."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer(json.dumps([1.0 for _ in body["data"]]).encode())

    def answer(self, content: bytes) -> None:
        """Send a whole answer."""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
