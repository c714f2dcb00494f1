"""The short way from a body to rows of numbers; whatever it does not take at once is left to service.request_body."""

from typing import Annotated, Any

import msgspec

from service.engine.batcher import Rows
from service.request_body import BodyLimits


class RowsDecoder:
    """Decodes `{"data": [[number, ...], ...]}` with the right number of finite numbers in each row.

    msgspec checks types, lengths and ranges while it parses; it never accepts a boolean, a string or a number beyond a
    64-bit float.
    """

    def __init__(self, features: int, limits: BodyLimits) -> None:
        row = Annotated[list[float], msgspec.Meta(min_length=features, max_length=features)]
        rows = Annotated[list[row], msgspec.Meta(min_length=1, max_length=limits.rows)]
        body = msgspec.defstruct("Body", [("data", rows)], forbid_unknown_fields=True, gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)

    def decode(self, body: bytes) -> Rows | None:
        """Return the rows; None for every body that needs a closer look, right or wrong."""
        try:
            rows: Rows = self._decoder.decode(body).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return rows
