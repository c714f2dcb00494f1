"""Whom the emulator's Microsoft Entra trusts: the federated credentials that it was started with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from deployment.emulator.assertions import Assertion, is_signed_by, read_assertion
from deployment.emulator.clock import Clock

AUDIENCE = "api://AzureADTokenExchange"
# An assertion may be this much ahead of this machine's clock.
CLOCK_SKEW_S = 300.0
READ_TIMEOUT_S = 10.0
CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)
ReadDocument = Callable[[str], Awaitable[Any]]


class EntraError(Exception):
    """A refusal of the token endpoint: OAuth's error, and the number and the words of AADSTS."""

    def __init__(self, number: int, message: str, *, error: str = "invalid_client", status: int = 401) -> None:
        super().__init__(f"AADSTS{number}: {message}")
        self.number = number
        self.error = error
        self.status = status


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """An issuer and the one subject of it that is let in."""

    issuer: str
    subject: str


class Federation:
    """Tells whether an assertion is that of a federated credential; read gets a URL and answers its JSON document."""

    def __init__(self, credentials: Sequence[FederatedCredential], clock: Clock, read: ReadDocument) -> None:
        self._credentials = credentials
        self._clock = clock
        self._read = read

    async def check(self, client_id: str, presented: str) -> None:
        """Raise EntraError unless the assertion is one of a federated credential, signed by its issuer and in time."""
        if not self._credentials:
            raise EntraError(70025, f"The client '{client_id}' has no configured federated identity credentials.")
        assertion = read_assertion(presented)
        if assertion is None:
            raise EntraError(50027, "JWT token is invalid or malformed.", error="invalid_request", status=400)
        self._check_record(assertion)
        self._check_time(assertion)
        if not is_signed_by(assertion, await self._keys(assertion.issuer)):
            raise EntraError(700027, "Client assertion failed signature validation.")

    def _check_record(self, assertion: Assertion) -> None:
        subjects = {each.subject for each in self._credentials if each.issuer == assertion.issuer}
        if not subjects:
            raise _no_record(700211, f"issuer '{assertion.issuer}'")
        if assertion.subject not in subjects:
            raise _no_record(700213, f"subject '{assertion.subject}'")
        if AUDIENCE not in assertion.audiences:
            raise _no_record(700212, f"audience '{', '.join(assertion.audiences)}'")

    def _check_time(self, assertion: Assertion) -> None:
        now_s = self._clock.now().timestamp()
        if assertion.valid_from_s - CLOCK_SKEW_S <= now_s < assertion.expires_s:
            return
        now, begin, end = (_time(each) for each in (now_s, assertion.valid_from_s, assertion.expires_s))
        raise EntraError(
            700024,
            f"Client assertion is not within its valid time range. Current time: {now}, assertion valid from {begin}, "
            f"expiry time of assertion {end}. Review the documentation at "
            "https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
        )

    async def _keys(self, issuer: str) -> Sequence[Any]:
        try:
            configuration = await self._read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            return list((await self._read(configuration["jwks_uri"]))["keys"])
        except (aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError) as error:
            raise EntraError(
                50166, f"Request to External OIDC endpoint failed: {issuer}", error="invalid_request", status=400
            ) from error


def reader(session: aiohttp.ClientSession) -> ReadDocument:
    """Return what reads JSON documents over a client session."""

    async def read(url: str) -> Any:
        timeout = aiohttp.ClientTimeout(total=READ_TIMEOUT_S)
        async with session.get(url, timeout=timeout, raise_for_status=True, allow_redirects=False) as answer:
            return await answer.json(content_type=None)

    return read


def _no_record(number: int, what: str) -> EntraError:
    return EntraError(number, f"No matching federated identity record found for presented assertion {what}. {CHECK}")


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    except (OverflowError, ValueError):
        return f"{seconds:g}"
