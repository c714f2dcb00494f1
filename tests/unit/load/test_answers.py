import logging
from typing import Any

import pytest

from load.answer import THROTTLED_HEADERS, classify, finish_trailers, header, throttled_ms

pytestmark = pytest.mark.unit

BROKEN = ConnectionError("broken")


@pytest.mark.parametrize(
    ("status", "exception", "timed_out", "stored"),
    [
        (200, None, False, (200, "")),
        (200, None, True, (200, "")),
        (200, BROKEN, False, (0, "connection")),
        (200, BROKEN, True, (0, "timeout")),
        (0, BROKEN, False, (0, "connection")),
        (0, BROKEN, True, (0, "timeout")),
        (424, BROKEN, False, (424, "http_424")),
        (503, BROKEN, True, (503, "http_503")),
        (302, None, False, (302, "http_302")),
        (204, None, False, (204, "http_204")),
    ],
)
def test_only_a_whole_200_is_no_error_and_a_status_says_more_than_a_broken_connection(
    status: int,
    exception: BaseException | None,
    timed_out: bool,  # noqa: FBT001 - pytest's parameter
    stored: tuple[int, str],
) -> None:
    assert classify(status, exception, timed_out=timed_out) == stored


def test_a_header_that_was_sent_twice_says_both() -> None:
    headers = {"a": "blue", "b": ["blue", "blue"], "c": ["blue", "green"]}
    assert [header(headers, name) for name in "abcd"] == ["blue", "blue", "blue, green", ""]


def test_delays_of_the_request_and_of_its_answer_add_up(caplog: pytest.LogCaptureFixture) -> None:
    request, answer = THROTTLED_HEADERS
    assert throttled_ms({}) == 0
    assert throttled_ms({request: "12", answer: "30.5"}) == 42.5
    assert throttled_ms({answer: ["1", "2"]}) == 3
    with caplog.at_level(logging.WARNING):
        assert throttled_ms({request: "soon", answer: "30"}) == 30
    assert f"{request} is 'soon', which is no number" in caplog.text


def test_an_answer_that_never_came_has_no_trailers() -> None:
    class Failed:
        _response = None

    nothing: list[Any] = [None, Failed()]
    for each in nothing:
        finish_trailers(each)
