"""JWTs of another issuer: taken apart, and their RS256 signatures checked against its published keys."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = "RS256"


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a JWT says; whether that is true is_signed_by tells."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    valid_from_s: float
    expires_s: float
    algorithm: str
    key_id: str
    signed: bytes
    signature: bytes


def read_assertion(text: str) -> Assertion | None:
    """Take a JWT apart; None where it is none, or has no expiry."""
    signed, _, signature = text.rpartition(".")
    head, _, payload = signed.partition(".")
    try:
        header, claims = json.loads(_decode(head)), json.loads(_decode(payload))
        audience = claims["aud"]
        return Assertion(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            audiences=tuple(map(str, audience)) if isinstance(audience, list) else (str(audience),),
            valid_from_s=float(claims.get("nbf", 0)),
            expires_s=float(claims["exp"]),
            algorithm=str(header.get("alg")),
            key_id=str(header.get("kid")),
            signed=signed.encode(),
            signature=_decode(signature),
        )
    except (binascii.Error, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return None


def is_signed_by(assertion: Assertion, keys: Sequence[Any]) -> bool:
    """Whether one of the issuer's keys (JSON Web Keys) has signed it."""
    if assertion.algorithm != ALGORITHM:
        return False
    named = (key for key in keys if isinstance(key, dict) and key.get("kid") == assertion.key_id)
    return any(_has_signed(key, assertion) for key in named)


def _has_signed(key: Any, assertion: Assertion) -> bool:
    try:
        exponent, modulus = (int.from_bytes(_decode(key[name]), "big") for name in ("e", "n"))
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        public.verify(assertion.signature, assertion.signed, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, KeyError, TypeError, AttributeError, ValueError):
        return False
    return True


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
