from functools import partial
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.conformance.cloud import MARKS, NO_IMAGE, Cloud, refusal

pytestmark = MARKS


def fails(error: HttpResponseError, *, status: tuple[int, ...] = (400,)) -> bool:
    return error.status_code in status


@pytest.mark.parametrize("name", ["a--b", "ab", "a-", "x" * 33])
def test_a_deployments_name_has_3_to_32_letters_digits_and_single_dashes(cloud: Cloud, name: str) -> None:
    from azure.ai.ml.exceptions import MlException  # noqa: PLC0415 - the environment has to come first

    with cloud.endpoint() as endpoint:
        with pytest.raises((MlException, HttpResponseError)):
            cloud.deploy(endpoint, name)
        assert list(cloud.deployments.list(endpoint)) == []


@pytest.mark.parametrize("traffic", [{"blue": 90}, {"blue": 90, "green": 20}, {"blue": 90, "red": 10}])
def test_traffic_that_cannot_be_routed_is_refused(cloud: Cloud, traffic: dict[str, int]) -> None:
    with cloud.endpoint() as name:
        for colour in ("blue", "green"):
            cloud.deploy(name, colour)
        cloud.set_traffic(name, blue=100)
        assert fails(refusal(lambda: cloud.set_traffic(name, None, **traffic)))
        assert cloud.endpoints.get(name).traffic == {"blue": 100, "green": 0}


@pytest.mark.parametrize("mirror", [{"green": 51}, {"blue": 10}, {"red": 10}, {"green": 10, "grey": 10}])
def test_traffic_that_cannot_be_mirrored_is_refused(cloud: Cloud, mirror: dict[str, int]) -> None:
    with cloud.endpoint() as name:
        for colour in ("blue", "green", "grey"):
            cloud.deploy(name, colour)
        cloud.set_traffic(name, blue=100)
        assert fails(refusal(lambda: cloud.set_traffic(name, mirror, blue=100)))
        assert cloud.endpoints.get(name).mirror_traffic == {}


def test_a_deployment_with_traffic_is_not_deleted(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        assert fails(refusal(lambda: cloud.deployments.begin_delete("blue", name).result()))
        cloud.set_traffic(name)
        cloud.deployments.begin_delete("blue", name).result()


def test_a_deployment_that_failed_at_first_must_be_deleted(cloud: Cloud) -> None:
    with cloud.endpoint() as name:

        def deploy(**settings: Any) -> Any:
            return cloud.deploy(name, "blue", **settings)

        failed = refusal(lambda: deploy(environment=cloud.environment(image=NO_IMAGE)))
        # The operation failed, not the request that asks for it.
        assert failed.status_code == 200
        assert cloud.deployments.get("blue", name).provisioning_state == "Failed"
        assert fails(refusal(deploy))
        cloud.deployments.begin_delete("blue", name).result()
        assert deploy().provisioning_state == "Succeeded"


def test_traffic_never_goes_to_a_deployment_that_failed(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        refusal(lambda: cloud.deploy(name, "blue", environment=cloud.environment(image=NO_IMAGE)))
        assert fails(refusal(lambda: cloud.set_traffic(name, blue=100)))


def test_a_size_of_machine_that_does_not_exist_is_refused(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        error = refusal(lambda: cloud.deploy(name, "blue", instance_type="Standard_Nothing_v9"))
        assert fails(error, status=(200, 400))


def test_more_cores_than_the_quota_are_refused(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        error = refusal(lambda: cloud.deploy(name, "blue", instance_type="Standard_F72s_v2", instance_count=50))
        assert fails(error, status=(200, 400))
        assert error.error is not None
        assert error.error.code == "OutOfQuota"


def test_a_deployment_on_an_endpoint_that_is_absent_is_refused(cloud: Cloud) -> None:
    assert fails(refusal(lambda: cloud.deploy("absent-endpoint", "blue")), status=(404,))


def test_an_environment_or_a_model_that_is_absent_is_refused(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        for settings in ({"environment": "azureml:absent-env:1"}, {"model": "azureml:absent-model:1"}):
            error = refusal(partial(cloud.deploy, name, "blue", **settings))
            assert fails(error, status=(200, 400, 404))
