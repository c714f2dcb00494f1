import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from deployment.emulator.entities import AuthMode, Endpoint
from deployment.emulator.errors import BadRequestError
from deployment.emulator.tokens import MICROSOFT_ENTRA_AUDIENCE
from tests.lib.emulator_fakes import WANTED_ENDPOINT, Bench, run

pytestmark = pytest.mark.unit


def with_endpoint(auth_mode: AuthMode, test: Callable[[Bench, Endpoint], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        bench.endpoints.put(replace(WANTED_ENDPOINT, auth_mode=auth_mode))
        await bench.operations.settle()
        await test(bench, bench.endpoints.get("diabetes"))
        await bench.close()

    run(main())


def test_a_scoring_token_ends_after_a_day() -> None:
    async def test(bench: Bench, endpoint: Endpoint) -> None:
        token = bench.endpoints.token("diabetes")
        assert (token.expires_on - token.refresh_after) == 12 * 3600
        await bench.clock.wind(24 * 3600 - 1)
        assert bench.tokens.authorizes(endpoint, f"Bearer {token.value}")
        await bench.clock.wind(1)
        assert not bench.tokens.authorizes(endpoint, f"Bearer {token.value}")

    with_endpoint(AuthMode.AML_TOKEN, test)


def test_a_scoring_token_does_not_open_a_later_endpoint_of_that_name() -> None:
    async def test(bench: Bench, endpoint: Endpoint) -> None:
        token = bench.endpoints.token("diabetes").value
        await bench.clock.wind(1)
        later = replace(endpoint, created_at=bench.clock.now())
        assert not bench.tokens.authorizes(later, f"Bearer {token}")

    with_endpoint(AuthMode.AML_TOKEN, test)


def test_each_mode_takes_its_own_credential_and_no_other() -> None:
    async def test(bench: Bench, endpoint: Endpoint) -> None:
        credentials = {
            AuthMode.KEY: endpoint.keys.primary,
            AuthMode.AML_TOKEN: bench.tokens.issue_for_scoring(endpoint).value,
            AuthMode.AAD_TOKEN: bench.tokens.issue(MICROSOFT_ENTRA_AUDIENCE).value,
        }
        foreign = [bench.tokens.issue("azureml").value, bench.tokens.issue("https://management").value, "", "a.b.c"]
        for mode in AuthMode:
            taken = {given for given in [*credentials.values(), *foreign] if opens(bench, endpoint, mode, given)}
            assert taken == {credentials[mode]}

    with_endpoint(AuthMode.KEY, test)


def opens(bench: Bench, endpoint: Endpoint, mode: AuthMode, credential: str) -> bool:
    return bench.tokens.authorizes(replace(endpoint, auth_mode=mode), f"Bearer {credential}")


def test_keys_and_tokens_are_refused_by_an_endpoint_of_the_other_mode() -> None:
    async def keys(bench: Bench, _: Endpoint) -> None:
        await asyncio.sleep(0)
        with pytest.raises(BadRequestError, match="AMLToken vs Key"):
            bench.endpoints.keys("diabetes")

    async def token(bench: Bench, _: Endpoint) -> None:
        await asyncio.sleep(0)
        with pytest.raises(BadRequestError, match="Key vs AMLToken"):
            bench.endpoints.token("diabetes")

    with_endpoint(AuthMode.AML_TOKEN, keys)
    with_endpoint(AuthMode.KEY, token)
