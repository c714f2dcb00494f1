import time
from pathlib import Path

import pytest

from tests.conformance.cloud import MARKS, Cloud

pytestmark = MARKS


def test_either_key_opens_the_endpoint_and_no_other(cloud: Cloud) -> None:
    with cloud.endpoint("key") as name, cloud.endpoint("key") as other:
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        keys, strange = cloud.endpoints.get_keys(name), cloud.endpoints.get_keys(other)
        for key in (keys.primary_key, keys.secondary_key):
            assert cloud.score(name, key, {}).status_code == 200
        for key in ("wrong", strange.primary_key):
            assert cloud.score(name, key, {}).status_code == 401


@pytest.mark.parametrize("key_type", ["primary", "secondary"])
def test_a_regenerated_key_replaces_the_old_one(cloud: Cloud, key_type: str) -> None:
    with cloud.endpoint("key") as name:
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        before = cloud.endpoints.get_keys(name)
        cloud.endpoints.begin_regenerate_keys(name, key_type=key_type).result()
        after = cloud.endpoints.get_keys(name)
        old, new = getattr(before, f"{key_type}_key"), getattr(after, f"{key_type}_key")
        assert old != new
        assert cloud.score(name, new, {}).status_code == 200
        assert cloud.score(name, old, {}).status_code == 401
        changed = {before.primary_key, before.secondary_key} & {after.primary_key, after.secondary_key}
        assert len(changed) == 1


def test_an_endpoint_with_aml_tokens_takes_its_own_tokens(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.endpoint("aml_token") as name, cloud.endpoint("aml_token") as other:
        assert cloud.endpoints.get(name).auth_mode == "aml_token"
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        token = cloud.endpoints.get_keys(name)
        assert token.token_type.lower() == "bearer"
        assert time.time() < token.refresh_after_time_utc < token.expiry_time_utc
        refreshed = cloud.endpoints.get_keys(name)
        for each in (token, refreshed):
            assert cloud.score(name, each.access_token, {}).status_code == 200
        assert cloud.score(name, cloud.endpoints.get_keys(other).access_token, {}).status_code == 401
        assert cloud.score(name, token.access_token[:-4] + "AAAA", {}).status_code == 401
        assert cloud.invoke(tmp_path, name, {})["name"] == "blue"


def test_an_endpoint_with_entra_tokens_takes_those_of_azure_ml(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.endpoint("aad_token") as name:
        assert cloud.endpoints.get(name).auth_mode == "aad_token"
        cloud.deploy(name, "blue")
        cloud.set_traffic(name, blue=100)
        token = cloud.endpoints.get_keys(name)
        assert token.expiry_time_utc > time.time()
        assert cloud.score(name, token.access_token, {}).status_code == 200
        assert cloud.score(name, "wrong", {}).status_code == 401
        assert cloud.invoke(tmp_path, name, {})["name"] == "blue"
