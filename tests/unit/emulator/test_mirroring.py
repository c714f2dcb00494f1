from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import aiohttp
import pytest

from deployment.emulator.upstream import ContainerAnswer
from tests.lib.data_plane import JSON_HEADER, Plane
from tests.lib.emulator_fakes import run, settle

pytestmark = pytest.mark.unit


@pytest.fixture
def plane(tmp_path: Path) -> Callable[[int], "MirroringPlane"]:
    """A data plane whose endpoint gives blue all traffic; green is there for mirroring."""
    return lambda percent: MirroringPlane(tmp_path, percent)


class MirroringPlane(Plane):
    """A data plane that mirrors that percentage to green."""

    def __init__(self, folder: Path, percent: int) -> None:
        super().__init__(folder, {"blue": 100})
        self.percent = percent

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        endpoint = self.bench.endpoints.get("diabetes")
        self.bench.store.save_endpoint(replace(endpoint, mirror_traffic={"green": self.percent}))
        return self

    def ports(self) -> tuple[int, int]:
        """The scoring ports of blue and green."""
        found = [self.bench.colours.serving("diabetes", name) for name in ("blue", "green")]
        first, second = (each.instances[0].scoring_port for each in found if each is not None)
        return first, second


def test_a_percentage_of_the_requests_is_copied_to_the_shadow(plane: Callable[[int], MirroringPlane]) -> None:
    async def test() -> None:
        async with plane(20) as data:
            for _ in range(2_000):
                assert (await data.send("/endpoints/diabetes/predict?q=1")).header("azureml-model-deployment") == "blue"
            await settle()
            blue, green = data.ports()
            sent_to = [port for _, port, *_ in data.upstream.seen]
            assert sent_to.count(blue) == 2_000
            # Four standard deviations of a binomial share of 0.2 over 2,000 requests are 72.
            assert abs(sent_to.count(green) - 400) < 72
            assert {target for _, _, target, *_ in data.upstream.seen} == {b"/predict?q=1"}

    run(test())


def test_a_request_that_names_a_deployment_is_not_copied(plane: Callable[[int], MirroringPlane]) -> None:
    async def test() -> None:
        async with plane(100) as data:
            for name in ("blue", "green"):
                await data.send(azureml_model_deployment=name)
            await settle()
            assert len(data.upstream.seen) == 2

    run(test())


@pytest.mark.parametrize("key", ["", "0" * 32])
def test_a_request_that_is_not_let_in_is_not_copied(plane: Callable[[int], MirroringPlane], key: str) -> None:
    async def test() -> None:
        async with plane(100) as data:
            assert (await data.send(key=key)).status == 401
            await settle()
            assert data.upstream.seen == []

    run(test())


def test_copies_are_marked_in_the_log_and_have_the_live_requests_id(plane: Callable[[int], MirroringPlane]) -> None:
    async def test() -> None:
        async with plane(100) as data:
            reply = await data.send(x_ms_client_request_id="trace")
            await settle()
            lines = {line["DeploymentName"]: line for line in data.logged()}
            assert (lines["blue"]["Mirrored"], lines["green"]["Mirrored"]) == (False, True)
            assert lines["green"]["XRequestId"] == reply.header("x-request-id") == lines["blue"]["XRequestId"]
            assert [extra for _, _, _, extra, _ in data.upstream.seen] == [
                {"x-request-id": reply.header("x-request-id"), "x-ms-client-request-id": "trace"}
            ] * 2

    run(test())


@pytest.mark.parametrize("fault", [TimeoutError(), aiohttp.ServerDisconnectedError(), RuntimeError("unforeseen"), None])
def test_what_becomes_of_a_copy_is_nothing_to_its_client(
    plane: Callable[[int], MirroringPlane], fault: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with plane(100) as data:
            _, green = data.ports()
            if fault is None:
                data.upstream.by_port[green] = ContainerAnswer(500, [JSON_HEADER], b"{}", 0.0)
            else:
                data.upstream.by_port[green] = fault
            reply = await data.send()
            assert (reply.status, reply.body) == (200, b"[1.0]")
            assert reply.header("azureml-model-deployment") == "blue"
            await settle()
            assert data.upstream.seen[-1][1] == green
            assert ("mirroring failed inside the emulator" in caplog.text) is isinstance(fault, RuntimeError)

    run(test())


def test_a_shadow_that_is_full_or_gone_gets_no_copy(plane: Callable[[int], MirroringPlane]) -> None:
    async def test() -> None:
        async with plane(100) as data:
            colour = data.bench.colours.serving("diabetes", "green")
            assert colour is not None
            (shadow,) = colour.instances
            shadow.pending_requests = 2
            assert (await data.send()).status == 200
            await settle()
            shadow.pending_requests = 0
            await data.bench.colours.remove("diabetes", "green")
            assert (await data.send()).status == 200
            await settle()
            assert [line["ResponseCode"] for line in data.logged() if line["Mirrored"]] == [429, 424]
            assert len(data.upstream.seen) == 2

    run(test())
