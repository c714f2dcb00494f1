import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from deployment.emulator.upstream import ContainerAnswer
from tests.lib.data_plane import JSON_HEADER, Effect, Plane
from tests.lib.emulator_fakes import FAILED_PROBE, WANTED_DEPLOYMENT, run, settle

pytestmark = pytest.mark.unit


@pytest.fixture
def plane(tmp_path: Path) -> Callable[..., Plane]:
    return lambda **traffic: Plane(tmp_path, traffic or None)


def test_a_200_is_passed_back_with_the_platforms_headers(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            reply = await data.send()
            assert (reply.status, reply.body) == (200, b"[1.0]")
            assert reply.header("server") == "azureml-frontdoor"
            assert reply.header("azureml-model-deployment") == "blue"
            assert reply.header("x-model-version") == "7"
            assert reply.header("ms-azureml-model-error-reason") is None
            request_id = reply.header("x-request-id")
            assert request_id is not None
            assert str(uuid.UUID(request_id)) == request_id

    run(test())


def test_a_request_that_was_held_up_goes_to_what_serves_then(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            data.faults.effects["blue"] = Effect(delay_ms=100)
            held_up = asyncio.ensure_future(data.send())
            await settle()
            data.bench.deployments.put(replace(WANTED_DEPLOYMENT, environment_variables={"NEW": "1"}))
            await data.bench.operations.settle()
            assert (await held_up).status == 200
            ((_, port, *_),) = data.upstream.seen
            assert port == 40000 + len(data.bench.runtime.started)

    run(test())


@pytest.mark.parametrize("status", [201, 204, 301, 400, 404, 422, 429, 500, 503])
def test_every_other_status_of_the_container_is_424_with_its_body(plane: Callable[..., Plane], status: int) -> None:
    async def test() -> None:
        async with plane() as data:
            data.upstream.answer = ContainerAnswer(status, [JSON_HEADER], b'{"error": 1}', 0.0)
            reply = await data.send()
            assert (reply.status, reply.body) == (424, b'{"error": 1}')
            assert reply.header("ms-azureml-model-error-statuscode") == str(status)
            assert reply.header("ms-azureml-model-error-reason") == "model_error"
            assert reply.header("content-type") == "application/json"

    run(test())


@pytest.mark.parametrize("path", ["/endpoints/diabetes/score", "/endpoints/diabetes/", "/endpoints/diabetes/docs?a=1"])
@pytest.mark.parametrize("key", ["", "0" * 32])
def test_every_path_needs_a_key(plane: Callable[..., Plane], path: str, key: str) -> None:
    async def test() -> None:
        async with plane() as data:
            reply = await data.send(path, key=key)
            assert reply.status == 401
            assert data.upstream.seen == []

    run(test())


def test_a_key_of_another_endpoint_is_refused(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            data.bench.store.save_endpoint(replace(data.bench.endpoints.get("diabetes"), name="other"))
            data.bench.endpoints.regenerate_key("other", primary=True)
            await data.bench.operations.settle()
            assert (await data.send(key=data.bench.endpoints.keys("other").primary)).status == 401

    run(test())


def test_an_old_key_is_refused_once_it_was_regenerated(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            old = data.bench.endpoints.keys("diabetes").primary
            data.bench.endpoints.regenerate_key("diabetes", primary=True)
            await data.bench.operations.settle()
            assert (await data.send(key=old)).status == 401

    run(test())


def test_path_and_query_reach_the_container_as_they_were_sent(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            await data.send("/endpoints/diabetes/a%2Fb/./c?x=%20&y=1")
            assert data.upstream.seen[0][2] == b"/a%2Fb/./c?x=%20&y=1"

    run(test())


def test_traffic_is_split_by_weight_and_a_header_pins(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=90, green=10) as data:
            routed = Counter([(await data.send()).header("azureml-model-deployment") for _ in range(2_000)])
            # Four standard deviations of a binomial share of 0.1 over 2,000 requests are 54.
            assert abs(routed["green"] - 200) < 54
            assert routed.total() == routed["green"] + routed["blue"]
            pinned = Counter(
                [
                    (await data.send(azureml_model_deployment="green")).header("azureml-model-deployment")
                    for _ in range(20)
                ]
            )
            assert pinned == {"green": 20}

    run(test())


def test_a_deployment_at_0_percent_answers_when_it_is_named(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            reply = await data.send(azureml_model_deployment="green")
            assert (reply.status, reply.header("azureml-model-deployment")) == (200, "green")

    run(test())


def test_an_unknown_deployment_or_endpoint_is_404(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            assert (await data.send(azureml_model_deployment="red")).status == 404
            assert (await data.send("/endpoints/absent/score")).status == 404
            assert (await data.send("/elsewhere")).status == 404

    run(test())


def test_an_endpoint_without_positive_weight_is_404(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=0) as data:
            reply = await data.send()
            assert reply.status == 404
            assert b"does not have any valid deployment with positive weight" in reply.body

    run(test())


def test_a_colour_that_is_not_ready_is_424_model_not_ready(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            data.bench.prober.results["/ready"] = FAILED_PROBE
            data.bench.deployments.put(replace(WANTED_DEPLOYMENT, name="red"))
            await settle()
            reply = await data.send(azureml_model_deployment="red")
            assert reply.status == 424
            assert reply.header("ms-azureml-model-error-reason") == "model_not_ready"
            assert data.upstream.seen == []

    run(test())


def test_a_container_that_breaks_off_is_424_model_not_ready(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            data.upstream.fault = aiohttp.ServerDisconnectedError()
            reply = await data.send()
            assert reply.status == 424
            assert reply.header("ms-azureml-model-error-reason") == "model_not_ready"

    run(test())


def test_a_model_that_takes_too_long_is_408(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            data.upstream.fault = TimeoutError()
            assert (await data.send()).status == 408
            assert data.upstream.seen[0][4] == 5.0

    run(test())


def test_one_request_more_than_twice_the_concurrency_is_429(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            colour = data.bench.colours.serving("diabetes", "blue")
            assert colour is not None
            (instance,) = colour.instances
            instance.pending_requests = 1
            assert (await data.send()).status == 200
            instance.pending_requests = 2
            reply = await data.send()
            assert (reply.status, reply.body) == (429, b"")
            assert reply.header("ms-azureml-model-error-reason") == "too_many_pending_request"
            assert colour.pending_requests == 2
            instance.pending_requests = 0

    run(test())


def test_request_ids_are_made_and_cleaned(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane() as data:
            reply = await data.send(x_request_id="mine", x_ms_client_request_id="trace 1" + "x" * 40)
            extra = data.upstream.seen[0][3]
            assert extra["x-request-id"] == reply.header("x-request-id") != "mine"
            assert extra["x-ms-client-request-id"] == "trace1" + "x" * 34

    run(test())


def test_the_traffic_log_has_azures_columns_and_no_key(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            data.upstream.answer = ContainerAnswer(422, [JSON_HEADER], b'{"error": 1}', 0.0)
            await data.send("/endpoints/diabetes/score?q=1", user_agent="tests/1", x_ms_client_request_id="trace")
            (line,) = data.logged()
            key = data.bench.endpoints.keys("diabetes").primary
            assert key not in json.dumps(line)
            expected = {
                "Method": "POST",
                "Path": "/score",
                "EndpointName": "diabetes",
                "DeploymentName": "blue",
                "Protocol": "HTTP/1.1",
                "ResponseCode": 424,
                "ResponseCodeReason": "model_error",
                "ModelStatusCode": 422,
                "ModelStatusReason": "model_error",
                "RequestPayloadSize": 12,
                "ResponsePayloadSize": 12,
                "UserAgent": "tests/1",
                "XMSClientRequestId": "trace",
                "AuthType": "Key",
            }
            assert {name: line[name] for name in expected} == expected
            assert line["TotalDurationMs"] >= 0

    run(test())


def test_a_fault_that_was_asked_for_delays_or_refuses(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            data.faults.effects = {"blue": Effect(status=503), "green": Effect(delay_ms=30)}
            refused = await data.send()
            assert (refused.status, refused.header("azureml-model-deployment")) == (503, "blue")
            assert data.upstream.seen == []
            before_s = time.perf_counter()
            assert (await data.send(azureml_model_deployment="green")).status == 200
            assert time.perf_counter() - before_s >= 0.03
            assert [line["ResponseCode"] for line in data.logged()] == [503, 200]

    run(test())


def test_several_instances_share_the_limit_and_the_requests(plane: Callable[..., Plane]) -> None:
    async def test() -> None:
        async with plane(blue=100) as data:
            data.bench.deployments.put(replace(WANTED_DEPLOYMENT, instance_count=3))
            await data.bench.operations.settle()
            ports = Counter([(await data.send()).status and data.upstream.seen[-1][1] for _ in range(30)])
            assert sorted(ports.values()) == [10, 10, 10]
            colour = data.bench.colours.serving("diabetes", "blue")
            assert colour is not None
            for each in colour.instances:
                each.pending_requests = 2
            assert (await data.send()).status == 429
            colour.instances[0].pending_requests = 1
            assert (await data.send()).status == 200
            for each in colour.instances:
                each.pending_requests = 0

    run(test())
