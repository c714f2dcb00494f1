import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest

from deployment.emulator.entities import Endpoint, Keys, Operation, OperationStatus
from deployment.emulator.provisioning import State
from deployment.emulator.store import FILE_NAME, Store, UnreadableStateError
from tests.lib.emulator_fakes import EPOCH, a_deployment, an_environment

pytestmark = pytest.mark.unit
ENDPOINT = Endpoint(
    name="diabetes",
    tags={"release": "7"},
    description="ünlike\nothers",
    identity_type="SystemAssigned",
    public_network_access="Enabled",
    properties={},
    traffic={"blue": 90, "green": 10},
    keys=Keys("one", "two"),
    state=State.SUCCEEDED,
    created_at=EPOCH,
    modified_at=EPOCH,
)


@dataclass(frozen=True)
class Model:
    """A kind that the store knows nothing of."""

    name: str
    version: str


def model_key(model: Model) -> tuple[str, ...]:
    return model.name, model.version


def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    deployment = replace(
        a_deployment(),
        model_dir=tmp_path,
        model_mount=PurePosixPath("/var/azureml-app/azureml-models/m/1"),
        environment_variables={"A": "'; DROP TABLE document"},
        instance_count=3,
    )
    operation = Operation("odidp:w:1", OperationStatus.FAILED, EPOCH, EPOCH, "BadArgument", "no image")
    store = Store(tmp_path)
    store.save_endpoint(ENDPOINT)
    store.save_deployment(deployment)
    store.environments.save(an_environment())
    store.save_operation(operation)
    store.collection("models", Model, model_key).save(Model("m", "1"))
    store.close()

    again = Store(tmp_path)
    assert again.endpoint("diabetes") == ENDPOINT
    assert again.deployment("diabetes", "blue") == deployment
    assert again.environments.all("env") == [an_environment()]
    assert again.operations() == [operation]
    assert again.collection("models", Model, model_key).all() == [Model("m", "1")]
    again.close()


def test_what_was_replaced_or_removed_does_not_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_endpoint(ENDPOINT)
    store.save_endpoint(replace(ENDPOINT, traffic={}))
    store.save_deployment(a_deployment("blue"))
    store.save_deployment(a_deployment("green"))
    store.remove_deployment("diabetes", "blue")
    store.remove_deployment("diabetes", "absent")
    store.close()

    again = Store(tmp_path)
    found = again.endpoint("diabetes")
    assert found is not None
    assert found.traffic == {}
    assert [each.name for each in again.deployments("diabetes")] == ["green"]
    again.close()


def test_a_killed_process_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_endpoint(ENDPOINT)
    # Never closed: this is what a SIGKILL leaves.
    again = Store(tmp_path)
    assert again.endpoint("diabetes") == ENDPOINT
    again.close()
    store.close()


def test_the_file_is_for_its_owner_alone_since_keys_are_in_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_endpoint(ENDPOINT)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_file_that_is_no_state_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("not a database, though it is long enough to look at" * 10)
    with pytest.raises(UnreadableStateError, match=r"not readable .* choose another state folder"):
        Store(tmp_path)


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 99", "UPDATE document SET content = '{}'"])
def test_a_file_of_another_version_is_refused_with_what_to_do(tmp_path: Path, statement: str) -> None:
    store = Store(tmp_path)
    store.save_endpoint(ENDPOINT)
    store.close()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    with database:
        database.execute(statement)
    database.close()
    with pytest.raises(UnreadableStateError, match="choose another state folder"):
        Store(tmp_path)
