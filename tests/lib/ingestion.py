"""What Application Insights' ingestion is for a test: a server on loopback that keeps what it is sent."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "01234567-89ab-cdef-0123-456789abcdef"


class Ingestion(ThreadingHTTPServer):
    """Keeps each item, and the bytes it came in; `asked` tells of the first, `release` is awaited before an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received = b""
        self.items: list[dict[str, Any]] = []
        self.asked = threading.Event()
        self.release = threading.Event()
        self.release.set()

    @property
    def connection_string(self) -> str:
        return connection_string(self.server_address[1])

    def of_type(self, base_type: str) -> list[dict[str, Any]]:
        """Return the data of items of a type: RequestData, MessageData, ExceptionData, MetricData."""
        return [item["data"]["baseData"] for item in self.items if item["data"]["baseType"] == base_type]

    def request_of(self, request_id: str) -> dict[str, Any]:
        """Return the item of a scored request, of which there has to be one."""
        named = ((item["data"]["baseData"].get("properties", {}), item) for item in self.items)
        (found,) = (item for properties, item in named if properties.get("request_id") == request_id)
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Ingestion

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        items = json.loads(content)
        self.server.asked.set()
        self.server.release.wait()
        self.server.received += content
        self.server.items += items
        answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def connection_string(port: int) -> str:
    return f"InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1:{port}"


@contextmanager
def ingestion_server() -> Iterator[Ingestion]:
    """Yield a server that answers until it is left."""
    with Ingestion() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()
