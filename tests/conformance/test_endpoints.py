from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from tests.conformance.cloud import MARKS, Cloud, unique

pytestmark = MARKS


def test_an_endpoint_is_read_back_as_it_was_asked_for(cloud: Cloud) -> None:
    with cloud.endpoint(tags={"team": "byoc"}, description="an endpoint") as name:
        found = cloud.endpoints.get(name)
        assert (found.name, found.auth_mode, found.provisioning_state) == (name, "key", "Succeeded")
        assert (found.tags, found.description) == ({"team": "byoc"}, "an endpoint")
        assert (found.traffic, found.mirror_traffic) == ({}, {})
        assert found.identity.type == "system_assigned"
        assert found.identity.principal_id
        assert found.scoring_uri.endswith("/score")
        assert name in [each.name for each in cloud.endpoints.list()]


def test_an_endpoints_tags_are_changed_by_another_put(cloud: Cloud) -> None:
    with cloud.endpoint(tags={"team": "byoc"}) as name:
        keys = cloud.endpoints.get_keys(name)
        found = cloud.endpoints.get(name)
        found.tags = {"team": "other"}
        cloud.endpoints.begin_create_or_update(found).result()
        assert cloud.endpoints.get(name).tags == {"team": "other"}
        assert cloud.endpoints.get_keys(name).primary_key == keys.primary_key


def test_a_deleted_endpoint_is_not_found(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        pass
    with pytest.raises(ResourceNotFoundError):
        cloud.endpoints.get(name)
    with pytest.raises(ResourceNotFoundError):
        cloud.deployments.list(name).next()


def test_deleting_an_endpoint_that_is_absent_is_no_error(cloud: Cloud) -> None:
    cloud.endpoints.begin_delete(unique("absent")).result()


def test_traffic_is_split_and_taken_back(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.endpoint() as name:
        for colour in ("blue", "green"):
            cloud.deploy(name, colour)
        assert cloud.endpoints.get(name).traffic == {"blue": 0, "green": 0}
        assert cloud.set_traffic(name, blue=90, green=10).traffic == {"blue": 90, "green": 10}
        assert cloud.set_traffic(name, blue=100).traffic == {"blue": 100, "green": 0}
        assert cloud.invoke(tmp_path, name, {"x": 1})["name"] == "blue"
        assert cloud.invoke(tmp_path, name, {"x": 1}, deployment_name="green")["name"] == "green"
        assert cloud.set_traffic(name).traffic == {"blue": 0, "green": 0}


def test_a_share_of_the_traffic_is_mirrored(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        for colour in ("blue", "green"):
            cloud.deploy(name, colour)
        found = cloud.set_traffic(name, {"green": 50}, blue=100)
        assert (found.traffic, found.mirror_traffic) == ({"blue": 100}, {"green": 50})
        key = cloud.endpoints.get_keys(name).primary_key
        assert {cloud.score(name, key, {}).json()["name"] for _ in range(5)} == {"blue"}
        assert cloud.set_traffic(name, blue=100).mirror_traffic == {}
