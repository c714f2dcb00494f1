"""Requests written byte by byte, as no well-behaved client does, and the answers to them."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fuzz.checks import Answer

TIMEOUT_S = 20.0


class RawAnswer(Answer):
    """One answer, and what its body says."""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a documented error body; fails where it is none."""
        assert self.headers["content-type"] == "application/json", self
        document = self.json()
        assert set(document) == {"error"}
        assert set(document["error"]) == {"code", "message", "location"}
        code: str = document["error"]["code"]
        return code


def request(body: bytes, *headers: str, path: str = "/score", method: str = "POST", length: int | None = None) -> bytes:
    """Return a request's bytes; `length` is what Content-Length says, if that is not how long the body is."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes, headers: tuple[str, ...] = ()) -> bytes:
    """Return a request whose body comes in these chunks."""
    lines = ["POST /score HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    head = "\r\n".join([*lines, *headers, "", ""]).encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def read_answers(connection: socket.socket, count: int | None = None) -> list[RawAnswer]:
    """Return that many answers, fewer where the server closes first, all until it closes where there is no count."""
    answers: list[RawAnswer] = []
    received = b""
    while count is None or len(answers) < count:
        answer, received = _take(received)
        if answer is not None:
            answers.append(answer)
            continue
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        received += piece
    return answers


def ask(port: int, sent: bytes) -> RawAnswer:
    """Return the one answer to these bytes, on a connection of their own."""
    with connected(port) as connection:
        connection.sendall(sent)
        answers = read_answers(connection, 1)
    assert answers, "no answer"
    return answers[0]


def _take(received: bytes) -> tuple[RawAnswer | None, bytes]:
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None, received
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if headers.get("transfer-encoding") == "chunked":
        end = rest.find(b"0\r\n\r\n")
        if end < 0:
            return None, received
        body = rest[:end].partition(b"\r\n")[2].removesuffix(b"\r\n")
        return RawAnswer(int(status_line.split()[1]), headers, body), rest[end + 5 :]
    if len(rest) < length:
        return None, received
    return RawAnswer(int(status_line.split()[1]), headers, rest[:length]), rest[length:]
