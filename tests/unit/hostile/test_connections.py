"""Clients that are slow, rude or broken, and what they do to others: nothing."""

import json
import socket
import struct
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.lib.emulator import wait_until
from tests.lib.model_artefacts import ROW, rows
from tests.lib.raw_http import RawAnswer, ask, chunked, connected, read_answers, request
from tests.unit.hostile.conftest import DEADLINE_MS, Target

pytestmark = pytest.mark.unit

SLOW_CLIENTS = 100
BODY = json.dumps(rows(1)).encode()
PROBE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED_HEAD = chunked(headers=()).removesuffix(b"0\r\n\r\n")


@pytest.fixture(scope="module")
def right(target: Target) -> RawAnswer:
    return ask(target.port, request(BODY))


def is_right(target: Target, right: RawAnswer) -> bool:
    answer = ask(target.port, request(BODY))
    return (answer.status, answer.body) == (200, right.body)


def assert_refused_or_reset(connection: socket.socket, status: int, code: str) -> None:
    # Where the rest of what was sent finds the connection closed, a reset may come before the answer is read.
    for answer in read_answers(connection):
        assert (answer.status, answer.code) == (status, code)


def test_a_right_request_is_right(right: RawAnswer, target: Target) -> None:
    assert right.json() == pytest.approx(target.predict([ROW]).tolist(), rel=1e-9)


def test_headers_and_bodies_that_dribble_hold_nobody_up(target: Target, right: RawAnswer) -> None:
    sent = request(BODY)
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(target.port)) for _ in range(SLOW_CLIENTS)]
        for step in range(40):
            for number, connection in enumerate(slow):
                # Half of them are in their headers, the others in their bodies.
                start = 0 if number % 2 else len(sent) - len(BODY)
                piece = sent[: start + 1] if step == 0 else sent[start + step : start + step + 1]
                connection.sendall(piece)
            assert is_right(target, right)
            assert ask(target.port, PROBE).status == 200
    assert is_right(target, right)


@pytest.mark.parametrize(
    "sent",
    [
        request(BODY[:-5], length=len(BODY)),
        request(BODY, length=len(BODY) + 10),
        request(b"", length=10**12),
        CHUNKED_HEAD + b'5\r\n{"dat',
        CHUNKED_HEAD,
    ],
)
def test_a_body_that_does_not_end_is_408_at_the_deadline(target: Target, sent: bytes) -> None:
    started_s = time.monotonic()
    with connected(target.port) as connection:
        connection.sendall(sent)
        (answer,) = read_answers(connection)  # the connection is closed after it
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert time.monotonic() - started_s >= DEADLINE_MS / 1000 * 0.9


@pytest.mark.parametrize("before", [b"", request(BODY)], ids=["first", "second"])
def test_a_head_that_does_not_end_is_408_at_the_deadline(target: Target, before: bytes) -> None:
    started_s = time.monotonic()
    with connected(target.port) as connection:
        connection.sendall(before + request(BODY)[:40])
        for _ in range(10):
            connection.sendall(b"a")
        *_, answer = read_answers(connection)
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert time.monotonic() - started_s >= DEADLINE_MS / 1000 * 0.9


def test_a_head_without_an_end_to_it_is_431(target: Target, right: RawAnswer) -> None:
    with connected(target.port) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(10_000):
                connection.sendall(b"X-Filler: " + b"a" * 1000 + b"\r\n")
        assert_refused_or_reset(connection, 431, "head_too_large")
    assert is_right(target, right)


def test_the_body_of_a_refused_request_is_not_taken_for_a_head(target: Target) -> None:
    refused = request(b"[" * 100_000, "Content-Encoding: gzip")
    with connected(target.port) as connection:
        connection.sendall(refused + request(BODY))
        first, second = read_answers(connection, 2)
    assert (first.status, second.status) == (415, 200)


def test_bodies_that_are_large_together_are_refused_before_memory_ends(target: Target, right: RawAnswer) -> None:
    piece = b"[" * (3 * 1024 * 1024)
    with ExitStack() as stack:
        open_bodies = [stack.enter_context(connected(target.port)) for _ in range(20)]
        for connection in open_bodies:
            connection.sendall(request(b"", length=len(piece) + 1) + piece)
        codes = [read_answers(connection, 1)[0].code for connection in open_bodies]
        assert set(codes) == {"overloaded", "request_timeout"}
        assert codes.count("request_timeout") == 32 // 3
    assert is_right(target, right)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"BREW /score HTTP/1.1\r\n\r\n",
        CHUNKED_HEAD + b"zz\r\n",
        chunked(BODY, headers=(f"Content-Length: {len(BODY)}",)),
        request(BODY, "Content-Length: 3"),
        request(BODY).replace(b"Content-Length: ", b"Content-Length: -"),
        request(BODY).replace(b"Content-Length: ", b"Content-Length: 0x"),
        request(BODY, "Bad Header: 1"),
        request(BODY, "X-Nul: a\0b"),
    ],
)
def test_what_is_not_http_is_400_and_the_connection_is_closed(target: Target, right: RawAnswer, sent: bytes) -> None:
    with connected(target.port) as connection:
        connection.sendall(sent)
        answers = read_answers(connection)
    assert [answer.status for answer in answers] == [400]
    assert is_right(target, right)


def test_bytes_beyond_content_length_are_not_taken_for_the_body(target: Target, right: RawAnswer) -> None:
    with connected(target.port) as connection:
        connection.sendall(request(BODY + b"}", length=len(BODY)))
        answers = read_answers(connection)
    # The request is whole and is answered; what comes behind it is no request, so it is the connection's last.
    assert [(answer.status, answer.body) for answer in answers] == [(200, right.body)]
    assert answers[0].headers["connection"] == "close"
    assert is_right(target, right)


def test_a_body_in_chunks_of_any_size_is_the_same_body(target: Target, right: RawAnswer) -> None:
    for size in (1, 2, 7, len(BODY)):
        chunks = [BODY[start : start + size] for start in range(0, len(BODY), size)]
        answer = ask(target.port, chunked(*chunks))
        assert (answer.status, answer.body) == (200, right.body)


def test_a_request_that_arrives_byte_by_byte_is_answered(target: Target, right: RawAnswer) -> None:
    with connected(target.port) as connection:
        for byte in request(BODY):
            connection.sendall(bytes([byte]))
        (answer,) = read_answers(connection, 1)
    assert (answer.status, answer.body) == (200, right.body)


def test_pipelined_requests_are_answered_in_their_order(target: Target, right: RawAnswer) -> None:
    sent, expected = b"", []
    for number in range(60):
        body, status = [(BODY, 200), (b"{", 400), (b'{"data":[[1]]}', 422)][number % 3]
        sent += request(body, f"x-request-id: {number}", path="/predict" if number % 7 == 0 else "/score")
        expected.append((f"{number}", status))
        if number % 10 == 0:
            sent += PROBE.replace(b"\r\n\r\n", b"\r\nx-request-id: probe\r\n\r\n")
            expected.append(("probe", 200))
    with connected(target.port) as connection:
        connection.sendall(sent)
        answers = read_answers(connection, len(expected))
    assert [(answer.headers["x-request-id"], answer.status) for answer in answers] == expected
    assert all(answer.body == right.body for answer in answers if answer.body.startswith(b"[")), answers


def test_clients_that_leave_early_leave_nothing_behind(target: Target, right: RawAnswer) -> None:
    (engine,) = target.service.scorers
    before = open_sockets(engine)
    for number in range(300):
        with connected(target.port) as connection:
            sent = request(BODY, path="/predict" if number % 2 else "/score")
            connection.sendall(sent[: len(sent) - number % 40])
            if number % 3 == 0:  # reset, not closed
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert is_right(target, right)
    wait_until(lambda: open_sockets(engine) <= before, 20, target.service.log_path)


def open_sockets(pid: int) -> int:
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            count += "socket:" in str(link.readlink())
    return count


def test_a_half_closed_connection_ends_and_hurts_nobody(target: Target, right: RawAnswer) -> None:
    for sent, statuses in ((request(BODY), [200]), (request(BODY)[:-5], [408]), (b"POST /sc", []), (b"", [])):
        with connected(target.port) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert [answer.status for answer in read_answers(connection)] == statuses
    assert is_right(target, right)


def test_a_client_that_offers_another_protocol_is_answered_in_this_one(target: Target, right: RawAnswer) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    answer = ask(target.port, request(BODY, *offer))
    assert (answer.status, answer.body) == (200, right.body)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        request(BODY, "Content-Length: 7"),
        request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"zz\r\n",
    ],
    ids=["a TLS hello", "no request line", "two lengths", "a chunk of no size"],
)
def test_what_is_not_http_gets_an_error_of_the_same_form(target: Target, right: RawAnswer, sent: bytes) -> None:
    answer = ask(target.port, sent)
    assert answer.status == 400
    assert answer.json()["error"]["code"] == "malformed_http"
    assert is_right(target, right)


@pytest.mark.parametrize(
    "sent",
    [
        request(BODY, "X-Long: " + "a" * 1_000_000),
        request(BODY, *(f"X-{number}: 1" for number in range(5000))),
        request(BODY, path="/score?" + "a" * 100_000),
        request(BODY, "x-request-id: " + "a" * 10_000),
        request(BODY, "x-request-id: a b", "x-ms-client-request-id: \u00e9"),
    ],
)
def test_a_huge_or_odd_head_is_answered_or_refused_and_not_echoed(
    target: Target, right: RawAnswer, sent: bytes
) -> None:
    answer = ask(target.port, sent)
    assert answer.status == (200 if len(sent) < 32 * 1024 else 431)
    assert len(str(answer.headers)) < 2000
    assert is_right(target, right)


@pytest.mark.parametrize(
    "path", ["/score/", "//score", "/score%00", "/%zz", "/../score", "/.env", "/predict/x", "/docs/x"]
)
def test_an_unknown_path_is_404_with_the_documented_body(target: Target, path: str) -> None:
    assert ask(target.port, request(BODY, path=path)).code == "not_found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_another_method_is_405_with_the_documented_body(target: Target, method: str) -> None:
    assert ask(target.port, request(BODY, method=method)).code == "method_not_allowed"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Content-Type: text/plain", "unsupported_content_type"),
        ("Content-Type: application/json; charset=utf-16", "unsupported_content_type"),
        ("Content-Type: multipart/form-data; boundary=x", "unsupported_content_type"),
        ("Content-Encoding: gzip", "unsupported_content_encoding"),
        ("Content-Encoding: gzip, identity", "unsupported_content_encoding"),
    ],
)
def test_another_content_type_is_415_with_the_documented_body(target: Target, header: str, code: str) -> None:
    name = header.partition(":")[0]
    sent = b"\r\n".join(
        line for line in request(BODY).split(b"\r\n") if not line.startswith(f"{name}:".encode())
    ).replace(b"Host: localhost", f"Host: localhost\r\n{header}".encode())
    answer = ask(target.port, sent)
    assert (answer.status, answer.code) == (415, code)


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(target: Target, right: RawAnswer) -> None:
    sent = request(BODY, "Expect: 100-continue")
    with connected(target.port) as connection:
        connection.sendall(sent.removesuffix(BODY))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        connection.shutdown(socket.SHUT_WR)
        assert [answer.body for answer in read_answers(connection)] == [right.body]


def test_an_answer_without_a_body_arrives_too(target: Target) -> None:
    with connected(target.port) as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 405 ")
