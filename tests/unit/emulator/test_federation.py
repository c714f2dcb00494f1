"""The token endpoint of the emulator's Microsoft Entra: what it exchanges, and each of its refusals."""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import typer

from deployment.emulator.__main__ import RuntimeName, main
from deployment.emulator.entra import JWT_BEARER, PATHS, entra_app
from deployment.emulator.federation import AUDIENCE, FederatedCredential, Federation
from deployment.emulator.tokens import LIFETIME_S, Tokens
from tests.lib.emulator_fakes import EPOCH, FakeClock, run
from tests.lib.oidc_issuer import OidcIssuer, encode, make_key, subject_of

pytestmark = pytest.mark.unit
URL = "https://127.0.0.1:1"
ISSUER = "https://issuer"
NOW_S = int(EPOCH.timestamp())
TOKEN = "/tenant/oauth2/v2.0/token"  # noqa: S105 - a path, not a secret
KEY, STRANGE_KEY = make_key(), make_key()


class Entra:
    """The endpoint, whose clock a test winds, and an issuer whose documents it reads without a network."""

    def __init__(self, *credentials: FederatedCredential) -> None:
        self.clock = FakeClock()
        self.tokens = Tokens(self.clock)
        self.issuer = OidcIssuer(ISSUER, key=KEY)
        self.published = {f"{ISSUER}{path}": document for path, document in self.issuer.documents().items()}
        federation = Federation(credentials, self.clock, self.read)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(entra_app(self.tokens, federation, self.clock, URL)),
            base_url=URL,
            trust_env=False,
        )

    async def read(self, url: str) -> Any:
        if url not in self.published:
            raise aiohttp.ClientConnectionError(url)
        return self.published[url]

    def assertion(self, **claims: Any) -> str:
        times = {"iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 300}
        return self.issuer.token(AUDIENCE, **{**times, **claims})

    async def ask(self, assertion: str | None = None, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": "client",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": self.assertion() if assertion is None else assertion,
            "scope": f"{URL}/.default",
            **changes,
        }
        return await self.http.post(TOKEN, data=form)


def with_entra(
    test: Callable[[Entra], Awaitable[None]],
    *credentials: FederatedCredential,
) -> None:
    async def main() -> None:
        entra = Entra(*credentials)
        async with entra.http:
            await test(entra)

    run(main())


TRUSTED = FederatedCredential(ISSUER, subject_of("production"))


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Answer status, OAuth's error and the words of AADSTS, having checked that the document is Entra's."""
    said = answer.json()
    (number,) = said["error_codes"]
    assert said["error_description"].startswith(f"AADSTS{number}: ")
    told, _, ids = said["error_description"].partition(" Trace ID: ")
    assert ids == f"{said['trace_id']} Correlation ID: {said['correlation_id']} Timestamp: {said['timestamp']}"
    return answer.status_code, said["error"], told


def test_an_assertion_is_exchanged_for_a_token_that_opens_what_was_asked_for_and_no_more() -> None:
    async def test(entra: Entra) -> None:
        answer = await entra.ask()
        assert answer.status_code == 200
        said = answer.json()
        assert (said["token_type"], said["expires_in"]) == ("Bearer", LIFETIME_S)
        entra.tokens.check(f"Bearer {said['access_token']}", URL)
        with pytest.raises(Exception, match="not issued for this audience"):
            entra.tokens.check(f"Bearer {said['access_token']}", "https://ml.azure.com")

    with_entra(test, TRUSTED)


def test_each_of_several_credentials_is_let_in() -> None:
    async def test(entra: Entra) -> None:
        for environment in ("production", "staging"):
            answer = await entra.ask(entra.assertion(sub=subject_of(environment)))
            assert answer.status_code == 200

    with_entra(test, TRUSTED, replace(TRUSTED, subject=subject_of("staging")))


def test_without_a_federated_credential_nobody_is_let_in() -> None:
    async def test(entra: Entra) -> None:
        told = "AADSTS70025: The client 'client' has no configured federated identity credentials."
        assert refusal(await entra.ask()) == (401, "invalid_client", told)

    with_entra(test)


@pytest.mark.parametrize(
    ("claims", "number", "what"),
    [
        ({"iss": "https://issuer/"}, 700211, "issuer 'https://issuer/'"),
        ({"sub": "repo:acme@1/diabetes@2:environment:Production"}, 700213, "subject 'repo:acme@1/diabetes@2:"),
        ({"aud": "https://github.com/acme"}, 700212, "audience 'https://github.com/acme'"),
    ],
)
def test_an_assertion_that_matches_no_credential_letter_for_letter_is_refused_by_name(
    claims: dict[str, str], number: int, what: str
) -> None:
    async def test(entra: Entra) -> None:
        status, error, told = refusal(await entra.ask(entra.assertion(**claims)))
        assert (status, error) == (401, "invalid_client")
        begin = f"AADSTS{number}: No matching federated identity record found for presented assertion {what}"
        assert told.startswith(begin)

    with_entra(test, TRUSTED)


def test_an_assertion_is_taken_until_its_time_is_over() -> None:
    async def test(entra: Entra) -> None:
        assertion = entra.assertion()
        await entra.clock.wind(299)
        assert (await entra.ask(assertion)).status_code == 200
        await entra.clock.wind(1)
        status, error, told = refusal(await entra.ask(assertion))
        assert (status, error) == (401, "invalid_client")
        assert told.startswith(
            "AADSTS700024: Client assertion is not within its valid time range. Current time: "
            "2026-01-01T00:05:00.0000000Z, assertion valid from 2026-01-01T00:00:00.0000000Z, "
            "expiry time of assertion 2026-01-01T00:05:00.0000000Z."
        )

    with_entra(test, TRUSTED)


@pytest.mark.parametrize(("ahead_s", "status"), [(300, 200), (301, 401)])
def test_an_issuer_whose_clock_is_five_minutes_ahead_is_believed(ahead_s: int, status: int) -> None:
    async def test(entra: Entra) -> None:
        answer = await entra.ask(entra.assertion(nbf=NOW_S + ahead_s, exp=NOW_S + 900))
        assert answer.status_code == status

    with_entra(test, TRUSTED)


@pytest.mark.parametrize(("exp", "status"), [(1e30, 200), (float("nan"), 401), (-1e30, 401)])
def test_a_time_that_no_calendar_has_is_no_error_of_the_emulator(exp: float, status: int) -> None:
    async def test(entra: Entra) -> None:
        assert (await entra.ask(entra.assertion(exp=exp, nbf=-1e30))).status_code == status

    with_entra(test, TRUSTED)


def forged(entra: Entra) -> dict[str, str]:
    head, payload, signature = entra.assertion().split(".")
    none = encode(json.dumps({"alg": "none", "kid": "the-only-key"}).encode())
    claims = encode(json.dumps({**json.loads(decoded(payload)), "jti": "another"}).encode())
    return {
        "another key": replace(entra.issuer, key=STRANGE_KEY).token(AUDIENCE, nbf=NOW_S, exp=NOW_S + 300),
        "other claims": f"{head}.{claims}.{signature}",
        "no algorithm": f"{none}.{payload}.",
        "a key that is not published": entra.issuer.sign(
            {"alg": "RS256", "kid": "unknown"}, json.loads(decoded(payload))
        ),
    }


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("how", ["another key", "other claims", "no algorithm", "a key that is not published"])
def test_a_forged_assertion_is_refused(how: str) -> None:
    async def test(entra: Entra) -> None:
        told = "AADSTS700027: Client assertion failed signature validation."
        assert refusal(await entra.ask(forged(entra)[how])) == (401, "invalid_client", told)

    with_entra(test, TRUSTED)


@pytest.mark.parametrize("keys", [[], [1], [{"kid": "the-only-key"}], [{"kid": "the-only-key", "e": 1, "n": "*"}]])
def test_keys_that_are_none_sign_nothing(keys: list[Any]) -> None:
    async def test(entra: Entra) -> None:
        entra.published[f"{ISSUER}/.well-known/jwks"] = {"keys": keys}
        assert refusal(await entra.ask())[2].startswith("AADSTS700027")

    with_entra(test, TRUSTED)


@pytest.mark.parametrize("document", ["openid-configuration", "jwks"])
@pytest.mark.parametrize("content", [None, {}, [], "text"])
def test_an_issuer_whose_keys_cannot_be_had_is_named(document: str, content: Any) -> None:
    async def test(entra: Entra) -> None:
        path = f"{ISSUER}/.well-known/{document}"
        if content is None:
            del entra.published[path]
        else:
            entra.published[path] = content
        told = f"AADSTS50166: Request to External OIDC endpoint failed: {ISSUER}"
        assert refusal(await entra.ask()) == (400, "invalid_request", told)

    with_entra(test, TRUSTED)


@pytest.mark.parametrize(
    "presented", ["x", "a.b.c", "..", "é", f"{encode(b'[]')}.{encode(b'{}')}.", f"{encode(b'[' * 100_000)}.e30.e30"]
)
def test_what_is_no_jwt_is_refused(presented: str) -> None:
    async def test(entra: Entra) -> None:
        told = "AADSTS50027: JWT token is invalid or malformed."
        assert refusal(await entra.ask(presented)) == (400, "invalid_request", told)

    with_entra(test, TRUSTED)


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"client_assertion": ""}, 401, "invalid_client", 7000216),
        ({"client_assertion_type": "saml"}, 401, "invalid_client", 7000216),
        ({"scope": URL}, 400, "invalid_scope", 1002012),
        ({"scope": f"{URL}/.default https://ml.azure.com/.default"}, 400, "invalid_scope", 1002012),
    ],
)
def test_a_request_that_is_none_is_refused_by_its_fault(
    changes: dict[str, str], status: int, error: str, number: int
) -> None:
    async def test(entra: Entra) -> None:
        found = refusal(await entra.ask(**changes))
        assert found[:2] == (status, error)
        assert found[2].startswith(f"AADSTS{number}: ")

    with_entra(test, TRUSTED)


def test_the_configuration_names_the_token_endpoint_of_the_tenant() -> None:
    async def test(entra: Entra) -> None:
        path = "/tenant/v2.0/.well-known/openid-configuration"
        assert PATHS.fullmatch(path)
        answer = await entra.http.get(path)
        assert answer.json()["token_endpoint"] == f"{URL}{TOKEN}"
        assert PATHS.fullmatch(TOKEN)

    with_entra(test, TRUSTED)


@pytest.mark.parametrize(("issuers", "subjects"), [([ISSUER], None), ([], ["x"])])
def test_an_issuer_without_a_subject_trusts_nobody_and_is_refused(
    tmp_path: Path, issuers: list[str], subjects: list[str] | None
) -> None:
    with pytest.raises(typer.BadParameter, match="one needs the other"):
        main(
            state_dir=tmp_path,
            runtime=RuntimeName.CONTAINERS,
            federated_issuer=issuers,
            federated_subject=subjects,
        )
