"""deployment/sdk: the seed's way with the SDK, its notebook executed against the emulator as an editor would."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.phases import Phase
from tests.lib.emulator import REPOSITORY, RunningEmulator, running_emulator, wait_until, write_bundle
from tests.lib.seed_desk import a_release
from tests.lib.shipped import DEPLOYMENT_FILE, ENDPOINT_FILE
from tests.lib.site import ask_endpoint
from tests.lib.tiny_model import TINY_MODEL_SERVER, write_tiny_model

pytestmark = pytest.mark.release

NOTEBOOK = REPOSITORY / "deployment" / "sdk" / "online-endpoints-custom-container-single-model.ipynb"
EXECUTE = Path(sys.executable).with_name("jupyter-execute")  # nbclient's own command
CELL_TIMEOUT_S, TIMEOUT_S = 60, 120
# What a person of this machine keeps of Jupyter stays out of the test, and the other way round.
JUPYTER = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")


@dataclass(frozen=True)
class Executed:
    """A notebook that has been run as far as it goes."""

    exit_code: int
    cells: dict[str, Any]
    complaint: str

    def shown(self, cell: str) -> str:
        """Return what a cell shows as its value."""
        values = [each["data"]["text/plain"] for each in self.cells[cell]["outputs"] if "data" in each]
        return "".join(part for value in values for part in value)


@dataclass(frozen=True)
class Desk:
    """Where somebody sits who runs the notebook."""

    emulator: RunningEmulator
    folder: Path

    def execute(self, endpoint: str, **variables: str) -> Executed:
        """Run the notebook in a kernel of its own, by nbclient in a process of its own."""
        output = self.folder / f"{endpoint}.ipynb"
        folders = {name: str(self.folder / name.lower()) for name in JUPYTER}
        files = {"ENDPOINT_FILE": str(ENDPOINT_FILE), "DEPLOYMENT_FILE": str(DEPLOYMENT_FILE)}
        common = {"AZUREML_ENDPOINT_NAME": endpoint, "RUNTIME": "processes"}
        command = [str(EXECUTE), f"--timeout={CELL_TIMEOUT_S}", f"--output={output}"]
        ended = subprocess.run(
            [*command, str(NOTEBOOK)],
            env={**self.emulator.child_environment, **folders, **files, **common, **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        cells = json.loads(output.read_text(encoding="utf-8"))["cells"] if output.exists() else []
        return Executed(ended.returncode, {cell["id"]: cell for cell in cells}, ended.stderr)

    def ask(self, endpoint: str, method: str, path: str = "", document: Any = None) -> dict[str, Any]:
        return ask_endpoint(self.emulator, endpoint, method, path, document)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("sdk")
    with running_emulator(folder) as emulator:
        yield Desk(emulator, folder)


def test_the_notebook_leaves_an_endpoint_that_answers_and_run_again_deploys_beside_it_and_deletes_it_if_told_to(
    desk: Desk, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    train = [sys.executable, "-m", "model", "train", "--version", "first", "--output", str(model)]
    subprocess.run(train, cwd=REPOSITORY, check=True, capture_output=True)
    ran = desk.execute("kept", MODEL_DIR=str(model), BUNDLES_DIR=str(desk.emulator.bundles_dir))
    assert ran.exit_code == 0, ran.complaint
    assert "diabetes-byoc@sha256:" in ran.shown("image")
    assert "nobody serves; the candidate will be blue" in ran.shown("standing")
    assert "blue: Succeeded" in ran.shown("deploy")
    printed = [part for cell in ran.cells.values() for part in cell.get("outputs", ()) if part.get("name") == "stdout"]
    assert not printed, "the SDK's dots"
    assert ran.shown("traffic") == "{'blue': 100}"
    assert "200 from blue: [" in ran.shown("ask")
    assert "Instance status:" in ran.shown("logs")
    assert "kept goes on: {'blue': 100}" in ran.shown("delete")

    resource = desk.ask("kept", "GET")["properties"]
    assert resource["traffic"] == {"blue": 100}
    key = desk.ask("kept", "POST", "/listKeys")["primaryKey"]
    assert key not in json.dumps(ran.cells)
    golden = json.loads((model / "golden_requests.json").read_text(encoding="utf-8"))["requests"][0]
    with httpx.Client(trust_env=False, headers={"authorization": f"Bearer {key}"}) as client:
        assert client.post(resource["scoringUri"], json=golden["body"]).json() == pytest.approx(golden["predictions"])

    tiny = {"IMAGE": write_bundle(desk.emulator.bundles_dir, TINY_MODEL_SERVER)}
    again = desk.execute("kept", MODEL_DIR=str(write_tiny_model(tmp_path / "tiny")), DELETE_ENDPOINT="true", **tiny)
    assert again.exit_code == 0, again.complaint
    assert "blue serves; the candidate will be green" in again.shown("standing")
    assert "200 from green: [1.0]" in again.shown("ask")
    assert again.shown("delete") == "'deleted'"
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        desk.ask("kept", "GET")


def test_the_notebook_stops_where_a_release_is_under_way(desk: Desk, tmp_path: Path) -> None:
    wanted = {
        "location": "local",
        "kind": "Managed",
        "identity": {"type": "SystemAssigned"},
        "properties": {"authMode": "Key"},
        "tags": a_release(Phase.MEASURED).to_tags(),
    }
    desk.ask("released", "PUT", document=wanted)
    wait_until(lambda: desk.ask("released", "GET")["properties"]["provisioningState"] == "Succeeded", 20)
    before = desk.ask("released", "GET")
    ran = desk.execute("released", IMAGE="tiny@sha256:0", MODEL_DIR=str(write_tiny_model(tmp_path / "model")))
    assert ran.exit_code != 0
    assert "release release-8 is under way (measured): `python -m deployment resume` goes on with it" in ran.complaint
    assert desk.ask("released", "GET") == before
    assert desk.ask("released", "GET", "/deployments")["value"] == []


def test_the_notebook_is_stored_as_it_was_before_anybody_ran_it() -> None:
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 8
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert all(cell["metadata"] == {} for cell in stored["cells"])
    assert stored["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_each_step_of_the_notebook_is_told_before_it_is_taken() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    told = [cell["id"].removesuffix("-text") for cell in cells if cell["cell_type"] == "markdown"]
    steps = "parameters model image connect standing deploy test traffic ask logs delete"
    assert told == ["about", *steps.split()]
    links = re.findall(r"\]\(([^)#:]+)\)", "".join("".join(cell["source"]) for cell in cells))
    assert links
    assert not [link for link in links if not (NOTEBOOK.parent / link).exists()]
    assert os.access(NOTEBOOK.parent / "build_byoc_image.sh", os.X_OK)
