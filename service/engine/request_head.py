"""What a request's headers say, and the headers of its answer: whose it was, what answered it, how long that took."""

import re
import time
from collections.abc import Iterable
from itertools import count
from uuid import uuid4

RawHeader = tuple[bytes, bytes]

JSON_CONTENT: RawHeader = (b"content-type", b"application/json")
VALID_ID = re.compile(rb"[\x21-\x7e]{1,100}").fullmatch
WANTED = frozenset(
    {b"content-type", b"content-encoding", b"x-request-id", b"x-ms-request-id", b"x-ms-client-request-id"}
)

# UUIDs of this process differ in their last twelve digits; making a random one takes longer than a small prediction.
_PREFIX = str(uuid4())[:24].encode("ascii")
_numbers = count(1)


class RequestHead:
    """The headers of a request that the service looks at; of repeated ones the first counts.

    `request_id`: the caller's where it is 1 to 100 visible ASCII characters, else a new UUID. `echoed`: the caller's
    other ids, to be sent back.
    """

    __slots__ = ("content_encoding", "content_type", "echoed", "request_id")

    def __init__(self, headers: Iterable[RawHeader]) -> None:
        wanted: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in WANTED and name not in wanted:
                wanted[name] = value
        self.content_type = wanted.pop(b"content-type", None)
        self.content_encoding = wanted.pop(b"content-encoding", None)
        request_id = wanted.pop(b"x-request-id", None)
        self.request_id = request_id if request_id and VALID_ID(request_id) else new_request_id()
        self.echoed = [item for item in wanted.items() if VALID_ID(item[1])] if wanted else []

    def log_fields(self) -> dict[str, dict[str, str]]:
        """Return the `extra` of a log line about this request."""
        fields = {"request_id": self.request_id.decode("ascii")}
        for name, value in self.echoed:
            fields[name.decode("ascii").removeprefix("x-").replace("-", "_")] = value.decode("ascii")
        return {"fields": fields}


class AnswerHeaders:
    """Makes the headers that every answer of this process has."""

    def __init__(self, release_id: str | None) -> None:
        self._of_process: list[RawHeader] = [(b"x-release-id", release_id.encode("ascii"))] if release_id else []

    def set_model_version(self, version: str) -> None:
        """Name the model on every answer from now on."""
        self._of_process.append((b"x-model-version", version.encode("ascii")))

    def make(self, head: RequestHead, started_s: float, predict_ms: float | None) -> list[RawHeader]:
        """Return the headers; `started_s` on time.perf_counter's clock, `predict_ms` in the model's call."""
        total_ms = (time.perf_counter() - started_s) * 1000
        if predict_ms is None:
            timing = b"total;dur=%.3f" % total_ms
        else:
            timing = b"total;dur=%.3f, predict;dur=%.3f" % (total_ms, predict_ms)
        return [*self._of_process, (b"x-request-id", head.request_id), (b"server-timing", timing), *head.echoed]


def new_request_id() -> bytes:
    """Return a UUID as text (version 4, RFC 9562); unique, not secret."""
    return b"%b%012x" % (_PREFIX, next(_numbers))
