import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from deployment.image import (
    ImageError,
    build_bundle,
    build_image,
    choose_base_image,
    choose_building_client,
    choose_ca_bundle,
    content_digest,
    docker_clients,
    engine_answers,
    known_id,
)
from tests.lib.model_artefacts import write_artefacts
from tests.lib.own_models import write_example

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artefacts(tmp_path_factory.mktemp("model"))


def put_client(folder: Path, script: str) -> Path:
    """Put a `docker` that does what the script says into a folder."""
    folder.mkdir(exist_ok=True)
    client = folder / "docker"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)
    return client


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that has BuildKit, reaches no engine, and fails to build."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return put_client(
        tmp_path / "bin",
        """
        case "$*" in
          "build --help") echo "--secret stringArray" ;;
          build*) printf '%s\\n' "$@" >"${0%/*}/arguments"; echo "step 1"; echo "no space left" >&2; exit 7 ;;
          *) exit 1 ;;
        esac""",
    )


def test_a_bundle_is_named_by_what_is_in_it(model_dir: Path, tmp_path: Path) -> None:
    image = build_bundle(model_dir=model_dir, bundles_dir=tmp_path / "bundles", name="diabetes")
    name, _, digest = image.partition("@sha256:")
    bundle = tmp_path / "bundles" / digest
    assert name == "diabetes"
    assert content_digest(bundle) == digest
    assert (bundle / "model" / "model.joblib").read_bytes() == (model_dir / "model.joblib").read_bytes()
    assert (bundle / "service" / "score.py").is_file()
    manifest = json.loads((bundle / "bundle.json").read_text())
    assert manifest["command"][:3] == ["python", "-m", "service"]
    assert manifest["env"]["API_SERVER_PORT"] == "{scoring_port}"


def test_the_same_input_is_the_same_bundle_and_another_model_is_another(model_dir: Path, tmp_path: Path) -> None:
    other = write_artefacts(tmp_path / "model-2", version="2")
    bundles = tmp_path / "bundles"
    first = build_bundle(model_dir=model_dir, bundles_dir=bundles, name="diabetes")
    assert build_bundle(model_dir=model_dir, bundles_dir=bundles, name="diabetes") == first
    assert build_bundle(model_dir=other, bundles_dir=bundles, name="diabetes") != first
    assert len(list(bundles.iterdir())) == 2


def test_a_bundle_holds_no_caches_and_its_files_can_be_read_by_any_user(model_dir: Path, tmp_path: Path) -> None:
    image = build_bundle(model_dir=model_dir, bundles_dir=tmp_path, name="diabetes")
    files = [path for path in (tmp_path / image[-64:]).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".py", ".json", ".joblib"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}


def test_an_incomplete_model_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").touch()
    with pytest.raises(ImageError, match=r"has no metadata\.json, golden_requests\.json; train the model"):
        build_bundle(model_dir=tmp_path, bundles_dir=tmp_path / "bundles", name="diabetes")


def test_a_client_without_buildkit_is_passed_over(
    client: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = put_client(
        tmp_path / "first", 'echo "BuildKit is enabled but the buildx component is missing" >&2; exit 1'
    )
    monkeypatch.setenv("PATH", f"{without.parent}:{client.parent}")
    assert docker_clients() == [str(without), str(client)]
    assert choose_building_client() == str(client)


def test_where_no_client_can_build_each_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = put_client(tmp_path / "bin", "exit 1")
    monkeypatch.setenv("PATH", str(without.parent))
    with pytest.raises(ImageError, match=f"{without} has no BuildKit"):
        choose_building_client()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="none is on PATH"):
        choose_building_client()


def test_a_client_found_twice_is_asked_once(client: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "docker").symlink_to(client)
    monkeypatch.setenv("PATH", f"{client.parent}:{tmp_path / 'link'}:{client.parent}")
    assert docker_clients() == [str(client)]


@pytest.mark.parametrize(
    ("built_id", "known"), [("sha256:manifest", "sha256:manifest"), ("sha256:config", "sha256:manifest")]
)
def test_what_was_built_is_named_by_the_id_that_the_engine_knows_it_by(
    built_id: str, known: str, tmp_path: Path
) -> None:
    client = put_client(
        tmp_path / "bin",
        """
        case "$*" in
          *sha256:config) exit 1 ;;
          *) echo sha256:manifest ;;
        esac""",
    )
    assert known_id(str(client), built_id, "diabetes:1") == known


@pytest.mark.usefixtures("client")
def test_a_client_without_an_engine_is_no_engine() -> None:
    assert not engine_answers()


@pytest.mark.usefixtures("client")
def test_a_build_that_fails_is_refused_with_its_last_lines_and_what_to_do(model_dir: Path) -> None:
    said: list[str] = []
    with pytest.raises(ImageError) as caught:
        build_image(model_dir=model_dir, name="diabetes", on_line=said.append)
    assert "exit code 7; its last lines:\nstep 1\nno space left\n" in str(caught.value)
    assert "BASE_IMAGE" in str(caught.value)
    assert said[1:] == ["step 1", "no space left"]


def test_the_build_is_told_the_model_the_revision_the_base_image_and_the_ca_bundle(
    client: Path, model_dir: Path, tmp_path: Path
) -> None:
    ca_bundle = tmp_path / "ca.crt"
    ca_bundle.touch()
    with pytest.raises(ImageError):
        build_image(model_dir=model_dir, name="diabetes", base_image="base:1", ca_bundle=ca_bundle, revision="0123abcd")
    arguments = (client.parent / "arguments").read_text().splitlines()
    for argument in ("MODEL_VERSION=1", "REVISION=0123abcd", "BASE_IMAGE=base:1", f"id=ca_bundle,src={ca_bundle}"):
        assert argument in arguments
    assert "diabetes:1" in arguments


def test_the_base_image_is_the_one_that_the_environment_names(client: Path) -> None:
    assert choose_base_image({"BASE_IMAGE": "mine:1"}) == "mine:1"
    assert choose_base_image({}) is None
    put_client(client.parent, '[ "$*" = "image inspect byoc-base:trixie" ]')
    assert choose_base_image({}) == "byoc-base:trixie"


def test_the_ca_bundle_is_the_first_that_the_environment_names_and_that_exists(tmp_path: Path) -> None:
    ca_bundle = tmp_path / "ca.crt"
    assert choose_ca_bundle({"SSL_CERT_FILE": str(ca_bundle)}) is None
    ca_bundle.touch()
    assert choose_ca_bundle({"PIP_CERT": os.devnull + "x", "SSL_CERT_FILE": str(ca_bundle)}) == ca_bundle
    assert choose_ca_bundle({}) is None


def test_the_modules_that_a_model_brings_along_are_in_its_bundle_and_nothing_beside_them(tmp_path: Path) -> None:
    folder = write_example(tmp_path / "model", "plain_object")
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "x.cpython-311.pyc").touch()
    image = build_bundle(model_dir=folder, bundles_dir=tmp_path / "bundles", name="diabetes")
    code = tmp_path / "bundles" / image[-64:] / "model" / "code"
    found = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
    assert found == set(json.loads((folder / "metadata.json").read_text())["code_files"])


def test_a_model_whose_module_is_missing_is_refused_with_its_name(tmp_path: Path) -> None:
    folder = write_example(tmp_path / "model", "plain_object")
    (folder / "code" / "model" / "examples" / "code" / "hourly_medians.py").unlink()
    with pytest.raises(ImageError, match=r"has no code/model/examples/code/hourly_medians\.py; train the model"):
        build_bundle(model_dir=folder, bundles_dir=tmp_path / "bundles", name="diabetes")


@pytest.mark.parametrize("name", ["../../secret.py", "/etc/passwd"])
def test_a_module_outside_the_models_folder_is_refused(model_dir: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(model_dir, tmp_path / "model")
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**metadata, "code_files": {name: "0" * 64}}))
    with pytest.raises(ImageError, match=r"names .* in code_files; train the model again"):
        build_bundle(model_dir=folder, bundles_dir=tmp_path / "bundles", name="diabetes")
