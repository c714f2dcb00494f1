"""OSV's query API on loopback, which knows of what a test says: https://google.github.io/osv.dev/post-v1-query/."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Osv:
    """A running service: the id of what is known of each package, and every package that was asked for."""

    url: str
    known: Mapping[str, str]
    asked: set[str] = field(default_factory=set)

    def query(self, name: str, version: str) -> dict[str, Any]:
        """Answer what is known of a package."""
        self.asked.add(name)
        if name not in self.known:
            return {}
        events = [{"introduced": "0"}, {"fixed": "9999.0"}]
        affected = {
            "package": {"name": name, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
            "versions": [version],
        }
        return {"vulns": [{"id": self.known[name], "summary": "Known to the tests.", "affected": [affected]}]}


@contextlib.contextmanager
def running_osv(known: Mapping[str, str]) -> Iterator[Osv]:
    """Run the service on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            content = json.dumps(osv.query(asked["package"]["name"], asked["version"])).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - http.server's name
            """Keep it off the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        osv = Osv(f"http://127.0.0.1:{server.server_address[1]}", known)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield osv
        finally:
            server.shutdown()
            thread.join()
