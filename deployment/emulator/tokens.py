"""Bearer tokens in the shape of JWTs: of a managed identity, and of endpoints with authMode AMLToken."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

from deployment.emulator.clock import Clock
from deployment.emulator.entities import AuthMode, Endpoint
from deployment.emulator.errors import UnauthorizedError
from deployment.emulator.routing import is_key_of

LIFETIME_S = 3600
# Of a token for scoring, as recorded from Azure.
SCORING_LIFETIME_S = 24 * 3600
SCORING_REFRESH_S = 12 * 3600
SCORING_AUDIENCE = "azureml"
MICROSOFT_ENTRA_AUDIENCE = "https://ml.azure.com"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, the second since the epoch at which it ends, and from which one on it is better replaced."""

    value: str
    expires_on: int
    refresh_after: int


class Tokens:
    """Issues tokens and checks them; nothing is stored, the random key that signs them ends with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def issue(self, audience: str) -> Token:
        """Answer a token of the managed identity that opens this audience for an hour."""
        return self._issue({"aud": audience.rstrip("/")}, LIFETIME_S, LIFETIME_S)

    def issue_for_scoring(self, endpoint: Endpoint) -> Token:
        """Answer a token that opens this endpoint's scoring route for a day, and no later endpoint of its name."""
        claims = {"aud": SCORING_AUDIENCE, "endpointName": endpoint.name, "serviceId": _service_id(endpoint)}
        return self._issue(claims, SCORING_LIFETIME_S, SCORING_REFRESH_S)

    def check(self, authorization: str, audience: str) -> None:
        """Raise UnauthorizedError unless the Authorization header holds a valid token for the audience."""
        claims = self._claims(authorization)
        if claims is None:
            raise UnauthorizedError("The request has no bearer token of this emulator in its Authorization header.")
        if claims["aud"] != audience.rstrip("/") or "serviceId" in claims:
            raise UnauthorizedError("The access token was not issued for this audience.")
        if claims["exp"] <= self._clock.now().timestamp():
            raise UnauthorizedError("The access token has expired.")

    def authorizes(self, endpoint: Endpoint, authorization: str) -> bool:
        """Whether the Authorization header opens the endpoint's scoring route, by its authMode."""
        if endpoint.auth_mode is AuthMode.KEY:
            return is_key_of(authorization, endpoint.keys)
        claims = self._claims(authorization)
        if claims is None or claims["exp"] <= self._clock.now().timestamp():
            return False
        if endpoint.auth_mode is AuthMode.AAD_TOKEN:
            return claims["aud"] == MICROSOFT_ENTRA_AUDIENCE and "serviceId" not in claims
        return claims["aud"] == SCORING_AUDIENCE and claims.get("serviceId") == _service_id(endpoint)

    def _issue(self, claims: dict[str, Any], lifetime_s: int, refresh_s: int) -> Token:
        now = int(self._clock.now().timestamp())
        head = {"alg": "HS256", "typ": "JWT"}
        payload = {"iss": "local-azureml", "iat": now, "exp": now + lifetime_s, "jti": secrets.token_hex(8), **claims}
        signed = f"{_encode(json.dumps(head).encode())}.{_encode(json.dumps(payload).encode())}"
        return Token(f"{signed}.{_encode(self._sign(signed))}", now + lifetime_s, now + refresh_s)

    def _claims(self, authorization: str) -> dict[str, Any] | None:
        """Answer what a token of this emulator says, None for anything else."""
        scheme, _, value = authorization.partition(" ")
        signed, _, signature = value.strip().rpartition(".")
        expected = _encode(self._sign(signed))
        if scheme.lower() != "bearer" or not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        return dict(json.loads(_decode(signed.partition(".")[2])))

    def _sign(self, signed: str) -> bytes:
        return hmac.digest(self._key, signed.encode(), hashlib.sha256)


def _service_id(endpoint: Endpoint) -> str:
    return f"{endpoint.name}-{endpoint.created_at:%y%m%d%H%M%S%f}"


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
