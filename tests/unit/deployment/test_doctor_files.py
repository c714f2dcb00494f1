"""What doctor says of the files that a fork edits, and of the model."""

import hashlib
import json
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from deployment.doctor.configuration import configuration_rows
from deployment.doctor.rows import Row, Standing
from deployment.releasing import Paths
from tests.lib.shipped import SHIPPED

pytestmark = pytest.mark.unit
MODEL = "a model"
METADATA = {
    "name": "diabetes",
    "version": "7",
    "model_file": "model.joblib",
    "model_sha256": hashlib.sha256(MODEL.encode()).hexdigest(),
    "golden_requests_file": "golden_requests.json",
    "libraries": {"python": "3.11.7", "scikit-learn": version("scikit-learn"), "numpy": version("numpy")},
}
GOLDEN = {"absolute_tolerance": 0, "relative_tolerance": 0, "requests": [{"id": "1", "body": {}, "predictions": [1]}]}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Copies of the files as they are shipped."""
    for name in ("endpoint.yml", "deployment.yml", "release.toml"):
        shutil.copy(SHIPPED / "deployment" / name, tmp_path / name)
    return Paths(
        settings_file=tmp_path / "release.toml",
        endpoint_file=tmp_path / "endpoint.yml",
        deployment_file=tmp_path / "deployment.yml",
    )


def rows(paths: Paths, environ: dict[str, str] | None = None) -> dict[str, Row]:
    folder = paths.endpoint_file.parent
    found = configuration_rows(paths, environ or {}, folder / "model", folder / "MODEL_CARD.md")
    return {row.name: row for row in found}


def write_model(paths: Paths, **changes: object) -> None:
    folder = paths.endpoint_file.parent / "model"
    folder.mkdir()
    (folder / "model.joblib").write_text(MODEL)
    (folder / "golden_requests.json").write_text(json.dumps(GOLDEN))
    (folder / "metadata.json").write_text(json.dumps({**METADATA, **changes}))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_the_files_as_shipped_are_good_and_an_untrained_model_is_no_fault(paths: Paths) -> None:
    found = rows(paths)
    not_ok = {name: row.standing for name, row in found.items() if row.standing is not Standing.OK}
    assert not_ok == {"model": Standing.SKIPPED, "model card": Standing.WARN}
    assert found["model"].fix == "make model"
    assert "pull-request" in found["release.toml"].found
    assert "the template's own" in found["endpoint name"].found


def test_a_wrong_value_in_a_profile_is_found_though_nobody_uses_it(paths: Paths) -> None:
    with paths.settings_file.open("a", encoding="utf-8") as file:
        file.write("\n[profiles.mine.shift]\nsteps_percent = [50, 20]\n")
    row = rows(paths)["release.toml"]
    assert row.standing is Standing.FAIL
    assert "steps_percent must rise and end at 100" in row.found


def test_a_placeholder_that_was_left_is_named_and_one_in_a_comment_is_not(paths: Paths) -> None:
    edit(paths.endpoint_file, "auth_mode: key", "auth_mode: {{AUTH_MODE}} # as <you> like")
    row = rows(paths)["placeholders"]
    assert (row.standing, row.found) == (Standing.FAIL, "endpoint.yml: {{AUTH_MODE}}")


def test_a_file_that_cannot_be_read_is_one_fault(paths: Paths) -> None:
    paths.deployment_file.write_text("name: blue\n")
    found = rows(paths)
    failed = [name for name, row in found.items() if row.standing is Standing.FAIL]
    assert failed == ["names"]
    assert "instance_type" in found["names"].found


def test_an_endpoint_file_that_cannot_be_read_has_its_rows(paths: Paths) -> None:
    paths.endpoint_file.write_text("name: [")
    assert rows(paths)["endpoint name"].standing is Standing.FAIL


def test_a_name_that_is_too_long_for_staging_is_a_warning(paths: Paths) -> None:
    edit(paths.endpoint_file, "name: diabetes", "name: a-name-of-twenty-seven-chars")
    row = rows(paths)["endpoint name"]
    assert row.standing is Standing.WARN
    assert "24 characters at most" in row.fix


def test_the_names_own_variable_goes_before_the_file(paths: Paths) -> None:
    assert (
        "mine, as AZUREML_ENDPOINT_NAME says" in rows(paths, {"AZUREML_ENDPOINT_NAME": "mine"})["endpoint name"].found
    )
    edit(paths.endpoint_file, "name: diabetes", "name: churn")
    assert rows(paths)["endpoint name"].found == "churn; in staging churn-staging"


def test_what_preflight_would_refuse_is_a_row(paths: Paths) -> None:
    edit(paths.deployment_file, "request_timeout_ms: 5000", "request_timeout_ms: 500000")
    row = rows(paths)["request timeout"]
    assert row.standing is Standing.FAIL
    assert "500000" in row.found


def test_a_trained_model_and_its_card_are_told(paths: Paths) -> None:
    write_model(paths)
    (paths.endpoint_file.parent / "MODEL_CARD.md").write_text("# diabetes\n")
    found = rows(paths)
    assert found["model"].found == "diabetes 7, 1 golden requests"
    assert found["model's libraries"].standing is Standing.OK
    assert found["model card"].standing is Standing.OK


def test_a_card_of_another_model_is_a_warning(paths: Paths) -> None:
    write_model(paths)
    (paths.endpoint_file.parent / "MODEL_CARD.md").write_text("# churn\n")
    assert "is of 'churn', and the model is 'diabetes'" in rows(paths)["model card"].found


def test_a_model_that_is_not_the_file_that_was_trained_fails(paths: Paths) -> None:
    write_model(paths, model_sha256="0" * 64)
    row = rows(paths)["model"]
    assert row.standing is Standing.FAIL
    assert "model.joblib is not the file that was trained" in row.found


def test_a_folder_that_training_has_not_written_fails(paths: Paths) -> None:
    (paths.endpoint_file.parent / "model").mkdir()
    assert rows(paths)["model"].standing is Standing.FAIL


@pytest.mark.parametrize(
    ("libraries", "standing"),
    [
        ({"scikit-learn": "0.24.2"}, Standing.FAIL),
        ({"scikit-learn": version("scikit-learn"), "numpy": "1.0.0"}, Standing.WARN),
        ({"scikit-learn": version("scikit-learn"), "no-such-library": "1.0"}, Standing.OK),
        ({}, Standing.OK),
    ],
    ids=["strict", "other", "training-alone", "none"],
)
def test_libraries_that_differ_are_told_and_scikit_learn_has_to_be_the_same(
    paths: Paths, libraries: dict[str, str], standing: Standing
) -> None:
    write_model(paths, libraries=libraries)
    assert rows(paths)["model's libraries"].standing is standing


def test_files_elsewhere_are_those_that_are_looked_at(paths: Paths, tmp_path: Path) -> None:
    elsewhere = replace(paths, settings_file=tmp_path / "none.toml")
    assert "none.toml cannot be read" in rows(elsewhere)["none.toml"].found
