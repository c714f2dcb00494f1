"""JWTs of another issuer, by PyJWT: read, and their RS256 signatures checked against its published keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options

ALGORITHM = "RS256"
# Who it is for, and when, the federation checks: each has a refusal of its own.
SIGNATURE_ALONE: Options = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_iss": False,
    "verify_jti": False,
    "verify_nbf": False,
    "verify_sub": False,
}


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a JWT says; whether that is true is_signed_by tells."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    valid_from_s: float
    expires_s: float
    key_id: str
    text: str


def read_assertion(text: str) -> Assertion | None:
    """Take a JWT apart; None where it is none, or has no expiry."""
    try:
        header, claims = jwt.get_unverified_header(text), jwt.decode(text, options={"verify_signature": False})
        audience = claims["aud"]
        return Assertion(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            audiences=tuple(map(str, audience)) if isinstance(audience, list) else (str(audience),),
            valid_from_s=float(claims.get("nbf", 0)),
            expires_s=float(claims["exp"]),
            key_id=str(header.get("kid")),
            text=text,
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError):
        return None


def is_signed_by(assertion: Assertion, keys: Sequence[Any]) -> bool:
    """Whether one of the issuer's keys (JSON Web Keys) has signed it."""
    named = (key for key in keys if isinstance(key, dict) and key.get("kid") == assertion.key_id)
    return any(_has_signed(key, assertion) for key in named)


def _has_signed(key: dict[str, Any], assertion: Assertion) -> bool:
    try:
        jwt.decode(assertion.text, jwt.PyJWK(key, ALGORITHM), algorithms=[ALGORITHM], options=SIGNATURE_ALONE)
    except (jwt.PyJWTError, KeyError, TypeError, AttributeError, ValueError):
        return False
    return True
