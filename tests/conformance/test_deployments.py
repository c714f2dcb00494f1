from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from tests.conformance.cloud import MARKS, Cloud

pytestmark = MARKS
SCRIPT = """
import json
import os
from pathlib import Path

from helper import WORD


def init():
    print("scoring script starts")


def run(raw):
    model = sorted(os.listdir(os.environ["AZUREML_MODEL_DIR"]))
    return {"word": WORD, "doubled": 2 * json.loads(raw)["x"], "model": model}
"""


def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "nested").mkdir(parents=True)
    (folder / "weights.txt").write_text("0.5")
    (folder / "nested" / "vocabulary.txt").write_text("a b")
    return folder


def test_a_deployment_is_read_back_as_it_was_asked_for(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue", tags={"commit": "abc"}, description="a deployment", instance_count=2)
        found = cloud.deployments.get("blue", name)
        assert (found.name, found.endpoint_name) == ("blue", name)
        assert found.provisioning_state == "Succeeded"
        assert (found.tags, found.description) == ({"commit": "abc"}, "a deployment")
        assert (found.instance_type, found.instance_count) == (cloud.instance_type, 2)
        assert found.environment_variables["NAME"] == "blue"
        assert found.request_settings.request_timeout_ms == 4000
        assert found.request_settings.max_concurrent_requests_per_instance == 4
        probe = found.readiness_probe
        assert (probe.initial_delay, probe.period, probe.timeout) == (10, 10, 2)
        assert (probe.success_threshold, probe.failure_threshold) == (1, 30)
        assert [each.name for each in cloud.deployments.list(name)] == ["blue"]


def test_a_deployment_is_changed_in_place(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        changed = cloud.deployments.get("blue", name)
        changed.environment_variables = {"NAME": "changed"}
        changed.tags = {"commit": "def"}
        cloud.deployments.begin_create_or_update(changed).result()
        assert cloud.deployments.get("blue", name).tags == {"commit": "def"}
        key = cloud.endpoints.get_keys(name).primary_key
        assert cloud.score(name, key, {}, "blue").json()["name"] == "changed"


def test_a_deleted_deployment_is_not_found(cloud: Cloud) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue")
        cloud.deployments.begin_delete("blue", name).result()
        with pytest.raises(ResourceNotFoundError):
            cloud.deployments.get("blue", name)
        assert list(cloud.deployments.list(name)) == []


def test_a_registered_environment_is_deployed_by_its_name(cloud: Cloud) -> None:
    registered = cloud.environments.create_or_update(cloud.environment(name="conformance-env"))
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue", environment=f"azureml:{registered.name}:{registered.version}")
        assert cloud.deployments.get("blue", name).environment == registered.id


def test_a_local_model_is_uploaded_and_mounted(cloud: Cloud, tmp_path: Path) -> None:
    model = cloud.model(path=str(model_folder(tmp_path)))
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue", model=model)
        key = cloud.endpoints.get_keys(name).primary_key
        mounted = cloud.score(name, key, {}, "blue").json()["model"]
        assert mounted == {"model/weights.txt": "0.5", "model/nested/vocabulary.txt": "a b"}


def test_a_registered_model_is_mounted(cloud: Cloud, tmp_path: Path) -> None:
    file = model_folder(tmp_path) / "weights.txt"
    registered = cloud.models.create_or_update(cloud.model(name="conformance-weights", path=str(file)))
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue", model=f"azureml:{registered.name}:{registered.version}")
        assert cloud.deployments.get("blue", name).model == registered.id
        key = cloud.endpoints.get_keys(name).primary_key
        assert cloud.score(name, key, {}, "blue").json()["model"] == {"weights.txt": "0.5"}


def test_a_scoring_script_is_uploaded_mounted_and_run(cloud: Cloud, tmp_path: Path) -> None:
    from azure.ai.ml.entities import CodeConfiguration  # noqa: PLC0415 - the environment has to come first

    code = tmp_path / "onlinescoring"
    code.mkdir()
    (code / "score.py").write_text(SCRIPT)
    (code / "helper.py").write_text("WORD = 'helped'\n")
    with cloud.endpoint() as name:
        cloud.deploy(
            name,
            "blue",
            model=cloud.model(path=str(model_folder(tmp_path))),
            code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
        )
        key = cloud.endpoints.get_keys(name).primary_key
        script = cloud.score(name, key, {"x": 21}, "blue").json()["script"]
        assert script == {"word": "helped", "doubled": 42, "model": ["model"]}
        assert "scoring script starts" in cloud.deployments.get_logs("blue", name, lines=100)


def test_the_logs_of_both_containers_have_the_documented_parts(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.endpoint() as name:
        cloud.deploy(name, "blue", model=cloud.model(path=str(model_folder(tmp_path))))
        server = cloud.deployments.get_logs("blue", name, lines=100)
        assert server.startswith("Instance status:\nSystemSetup: Succeeded\n")
        assert "\nContainer events:\n" in server
        assert "conformance app starts" in server
        initializer = cloud.deployments.get_logs("blue", name, lines=100, container_type="storage-initializer")
        assert initializer.startswith("Instance status:\n")
        assert "conformance app starts" not in initializer
