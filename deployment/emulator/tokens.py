"""Bearer tokens: issued by the identity endpoint, believed by the control plane."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from deployment.emulator.clock import Clock
from deployment.emulator.errors import UnauthorizedError

LIFETIME_S = 3600


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the second since the epoch at which it ends."""

    value: str
    expires_on: int


class Tokens:
    """Issues tokens for an audience and checks them; nothing is stored, they are signed with a random key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def issue(self, audience: str) -> Token:
        """Answer a token that opens this audience for an hour."""
        expires_on = int(self._clock.now().timestamp()) + LIFETIME_S
        return Token(f"{expires_on}.{self._signature(audience, expires_on)}", expires_on)

    def check(self, authorization: str, audience: str) -> None:
        """Raise UnauthorizedError unless the Authorization header holds a valid token for the audience."""
        scheme, _, value = authorization.partition(" ")
        expires_on, _, signature = value.partition(".")
        if scheme.lower() != "bearer" or not expires_on.isdecimal():
            raise UnauthorizedError("The request has no valid bearer token in its Authorization header.")
        expected = self._signature(audience, int(expires_on))
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise UnauthorizedError("The access token was not issued by this emulator for this audience.")
        if int(expires_on) <= self._clock.now().timestamp():
            raise UnauthorizedError("The access token has expired.")

    def _signature(self, audience: str, expires_on: int) -> str:
        text = f"{audience.rstrip('/')}\n{expires_on}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
