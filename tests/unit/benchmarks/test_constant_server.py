import pytest

from benchmarks.constant_server import request_length

pytestmark = pytest.mark.unit
POST = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize(
    ("received", "length"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", 27),
        (POST, None),
        (POST + b"abc", None),
        (POST + b"abcd", len(POST) + 4),
        (POST + b"abcdPOST", len(POST) + 4),
    ],
)
def test_a_request_is_answered_once_it_is_complete(received: bytes, length: int | None) -> None:
    assert request_length(received) == length
