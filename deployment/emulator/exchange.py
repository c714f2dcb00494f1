"""One request and one answer of the data plane, as plain values between the ASGI server and the rules."""

from dataclasses import dataclass, field
from typing import Any

HeaderList = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Request:
    """What the client sent; the path is as it stood on the wire, without the query."""

    method: str
    path: bytes
    query: bytes
    protocol: str
    headers: HeaderList
    body: bytes

    def header(self, name: bytes) -> str:
        """Answer the first header of that lower-case name; empty when there is none."""
        for each, value in self.headers:
            if each == name:
                return value.decode("latin-1")
        return ""


@dataclass(slots=True)
class Answer:
    """What the client gets, and what the traffic log says about it."""

    status: int
    body: bytes = b""
    headers: HeaderList = field(default_factory=list)
    reason: str = ""
    deployment: str = ""
    model_status: int | None = None
    model_reason: str = ""
    # When the first byte of the model's answer came, on time.perf_counter(); None when the model did not answer.
    answered_at_s: float | None = None


async def read_request(scope: Any, receive: Any) -> Request | None:
    """Read the whole request; None when the client went away meanwhile."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return Request(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        protocol=f"HTTP/{scope['http_version']}",
        headers=scope["headers"],
        body=chunks[0] if len(chunks) == 1 else b"".join(chunks),
    )


async def send_answer(send: Any, answer: Answer) -> None:
    """Send the whole answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
