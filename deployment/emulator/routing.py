"""Which deployment a request goes to, whether it may enter, and what its ids become: pure rules of the data plane."""

import hmac
import random
import re
from collections.abc import Mapping

from deployment.emulator.entities import Keys

NOT_IN_A_CLIENT_REQUEST_ID = re.compile(r"[^A-Za-z0-9_-]")
CLIENT_REQUEST_ID_LENGTH = 40


def choose_deployment(traffic: Mapping[str, int], rng: random.Random) -> str | None:
    """Draw a deployment by its share of the traffic; None when no share is positive."""
    total = sum(traffic.values())
    if total <= 0:
        return None
    ticket = rng.random() * total
    for name, percent in traffic.items():
        ticket -= percent
        if ticket < 0:
            return name
    return None


def is_drawn(percent: int, rng: random.Random) -> bool:
    """Draw whether a request belongs to that share of all."""
    return percent > 0 and rng.random() * 100 < percent


def is_key_of(authorization: str, keys: Keys) -> bool:
    """Whether the Authorization header holds one of the endpoint's keys, in time that tells nothing of them."""
    scheme, _, given = authorization.partition(" ")
    candidate = given.strip().encode()
    is_primary = hmac.compare_digest(candidate, keys.primary.encode())
    is_secondary = hmac.compare_digest(candidate, keys.secondary.encode())
    return scheme.lower() == "bearer" and (is_primary or is_secondary)


def clean_client_request_id(value: str) -> str:
    """Answer a client's x-ms-client-request-id as the platform keeps it: letters, digits, - and _, 40 at most."""
    return NOT_IN_A_CLIENT_REQUEST_ID.sub("", value)[:CLIENT_REQUEST_ID_LENGTH]
