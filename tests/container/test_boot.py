"""`python -m deployment boot`, `sbom` and `build --tar` on real images."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.image import build_image, choose_base_image
from model.faulty import Variant
from tests.container.conftest import IMAGE_NAME
from tests.lib.emulator import REPOSITORY
from tests.lib.model_artefacts import write_artefacts
from tests.lib.service_container import containers_of, docker

pytestmark = pytest.mark.container


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a step of a workflow, whose outputs and summary go into the folder."""
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(folder / "out"),
        "GITHUB_STEP_SUMMARY": str(folder / "sum"),
    }
    return subprocess.run(
        [sys.executable, "-m", "deployment", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **github},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_an_image_boots_is_probed_answers_and_ends(image: str, model_dir: Path, tmp_path: Path) -> None:
    booted = run("boot", "--image", image, "--model-dir", str(model_dir), folder=tmp_path)
    assert booted.returncode == 0, booted.stdout + booted.stderr
    assert not containers_of(image)
    summary = (tmp_path / "sum").read_text()
    for found in (
        r"score.init\(\) boots \| ok \| finished [0-9.]+ s after the start",
        r"GET / on 8003 \| ok \| 200",
        r"golden requests \| ok \| 13 of 13 answered right, as model diabetes 1",
        r"SIGTERM \| ok \| ended in good order",
    ):
        assert re.search(found, summary), summary


def test_an_image_with_another_model_answers_wrongly(image: str, tmp_path: Path) -> None:
    other = write_artefacts(tmp_path / "other", version="2")
    golden = json.loads((other / "golden_requests.json").read_text())
    golden["requests"][0]["predictions"][0] += 1.0
    (other / "golden_requests.json").write_text(json.dumps(golden))
    booted = run("boot", "--image", image, "--model-dir", str(other), folder=tmp_path)
    assert booted.returncode == 13, booted.stdout + booted.stderr
    assert not containers_of(image)
    assert "golden requests: 1 of 13 answered wrongly: golden-00 got" in booted.stderr
    assert "::error title=boot%3A refused by the smoke test::" in booted.stdout


def test_a_model_that_fails_its_golden_requests_at_the_start_is_not_ready_and_its_log_says_why(
    tmp_path: Path,
) -> None:
    wrong = write_artefacts(tmp_path / "wrong", variant=Variant.WRONG)
    image = build_image(model_dir=wrong, name=f"{IMAGE_NAME}-wrong", base_image=choose_base_image())
    try:
        booted = run("boot", "--image", image, "--model-dir", str(wrong), folder=tmp_path)
        assert not containers_of(image)
    finally:
        docker("image", "rm", "--force", image.partition("@")[2])
    assert booted.returncode == 14, booted.stdout + booted.stderr
    assert "the container ended with exit code 3: model: golden request golden-00" in booted.stderr
    assert '"level": "critical"' in (tmp_path / "sum").read_text()


def test_what_is_in_an_image_is_listed_as_spdx(image: str, tmp_path: Path) -> None:
    listed = run("sbom", "--image", image, "--output", str(tmp_path / "image" / "sbom.spdx.json"), folder=tmp_path)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    document = json.loads((tmp_path / "image" / "sbom.spdx.json").read_text())
    assert document["spdxVersion"].startswith("SPDX-2.")
    assert {"fastapi", "scikit-learn"} <= {package["name"] for package in document["packages"]}


def test_a_build_is_printed_given_as_output_and_saved(tmp_path: Path) -> None:
    model_dir = write_artefacts(tmp_path / "model", version="saved")
    tar = tmp_path / "image" / "image.tar"
    arguments = ("build", "--model-dir", str(model_dir), "--runtime", "containers", "--tar", str(tar))
    built = run(*arguments, folder=tmp_path)
    assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    assert (tmp_path / "out").read_text() == f"image={image}\n"
    docker("image", "rm", "--force", image.partition("@")[2])
    docker("load", "--input", str(tar))
    assert docker("image", "inspect", "--format", "{{.Id}}", image.partition("@")[2]) == image.partition("@")[2]
    docker("image", "rm", "--force", image.partition("@")[2])
