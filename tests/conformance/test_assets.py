from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.conformance.cloud import MARKS, Cloud, unique

pytestmark = MARKS


def test_an_environment_is_registered_in_versions(cloud: Cloud) -> None:
    name = unique("env")
    cloud.environments.create_or_update(cloud.environment(name=name, version="1", description="one"))
    cloud.environments.create_or_update(cloud.environment(name=name, version="2", description="two"))
    found = cloud.environments.get(name, "1")
    assert (found.image, found.description) == (cloud.image, "one")
    # The SDK takes snake_case and gives camelCase back.
    assert {"path": "/score", "port": 8003} in list(dict(found.inference_config).values())
    assert cloud.environments.get(name, label="latest").version == "2"
    assert [each.version for each in cloud.environments.list(name)] == ["2", "1"]
    assert name in [each.name for each in cloud.environments.list()]


def test_the_image_of_an_environments_version_never_changes(cloud: Cloud) -> None:
    name = unique("env")
    cloud.environments.create_or_update(cloud.environment(name=name, version="7"))
    with pytest.raises(HttpResponseError) as refused:
        cloud.environments.create_or_update(cloud.environment(name=name, version="7", image="another:1"))
    assert refused.value.status_code in {400, 409}


def test_an_archived_environment_is_not_listed_until_it_is_restored(cloud: Cloud) -> None:
    name = unique("env")
    cloud.environments.create_or_update(cloud.environment(name=name, version="1"))
    cloud.environments.archive(name, version="1")
    assert [each.version for each in cloud.environments.list(name)] == []
    cloud.environments.restore(name, version="1")
    assert [each.version for each in cloud.environments.list(name)] == ["1"]
    cloud.environments.archive(name)
    assert name not in [each.name for each in cloud.environments.list()]
    cloud.environments.restore(name)
    assert name in [each.name for each in cloud.environments.list()]


def test_a_model_is_registered_listed_and_downloaded(cloud: Cloud, tmp_path: Path) -> None:
    name, folder = unique("mdl"), tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 5000)
    for version in ("1", "2"):
        registered = cloud.models.create_or_update(cloud.model(name=name, path=str(folder), tags={"v": version}))
        assert registered.version == version
    found = cloud.models.get(name, "1")
    assert (found.type, found.tags) == ("custom_model", {"v": "1"})
    assert cloud.models.get(name, label="latest").version == "2"
    assert [each.version for each in cloud.models.list(name)] == ["2", "1"]
    assert name in [each.name for each in cloud.models.list()]
    cloud.models.download(name, "1", download_path=str(tmp_path / "down"))
    assert (tmp_path / "down" / name / "model" / "weights.bin").read_bytes() == bytes(range(256)) * 5000


def test_a_large_model_is_uploaded_in_blocks(cloud: Cloud, tmp_path: Path) -> None:
    name, file = unique("mdl"), tmp_path / "large.bin"
    with file.open("wb") as large:
        large.truncate(70 * 2**20)
        large.seek(0)
        large.write(b"head")
    cloud.models.create_or_update(cloud.model(name=name, path=str(file)))
    cloud.models.download(name, "1", download_path=str(tmp_path / "down"))
    content = (tmp_path / "down" / name / "large.bin").read_bytes()
    assert (len(content), content[:6]) == (70 * 2**20, b"head\0\0")


def test_an_archived_model_is_not_listed_until_it_is_restored(cloud: Cloud, tmp_path: Path) -> None:
    name, file = unique("mdl"), tmp_path / "weights.txt"
    file.write_text("0.5")
    cloud.models.create_or_update(cloud.model(name=name, path=str(file)))
    cloud.models.archive(name, version="1")
    assert [each.version for each in cloud.models.list(name)] == []
    cloud.models.restore(name, version="1")
    cloud.models.archive(name)
    assert name not in [each.name for each in cloud.models.list()]
    cloud.models.restore(name)
    assert name in [each.name for each in cloud.models.list()]


def test_an_asset_that_is_absent_is_not_found(cloud: Cloud) -> None:
    with pytest.raises(ResourceNotFoundError):
        cloud.models.get(unique("absent"), "1")
    with pytest.raises(ResourceNotFoundError):
        cloud.environments.get(unique("absent"), "1")
