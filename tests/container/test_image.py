import json
import time
from pathlib import Path

import pytest

from deployment.image import build_image, choose_base_image, choose_ca_bundle
from tests.container.conftest import IMAGE_NAME
from tests.lib.model_artefacts import write_artefacts
from tests.lib.service_container import docker, running_container

pytestmark = pytest.mark.container

SLIM = 700_000_000


def test_the_image_says_what_it_is(image: str) -> None:
    config = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", image.partition("@")[2]))
    assert config["Labels"] == {
        "org.opencontainers.image.title": "diabetes",
        "org.opencontainers.image.version": "1",
        "org.opencontainers.image.revision": "0123abcd",
    }
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["azmlinfsrv", "--entry_script", "service/score.py"]
    assert not config.get("Entrypoint")
    assert list(config["ExposedPorts"]) == ["8003/tcp"]


def test_the_same_input_is_the_same_image_and_another_model_shares_all_but_the_last_layer(
    image: str, model_dir: Path, tmp_path: Path
) -> None:
    options = {"name": IMAGE_NAME, "base_image": choose_base_image()}
    assert build_image(model_dir=model_dir, revision="0123abcd", **options) == image  # type: ignore[arg-type] # of one type each
    started_s = time.monotonic()
    other = build_image(model_dir=write_artefacts(tmp_path / "other", version="2"), **options)  # type: ignore[arg-type] # as above
    took_s = time.monotonic() - started_s
    try:
        assert layers(other)[:-1] == layers(image)[:-1]
        assert layers(other)[-1] != layers(image)[-1]
        assert took_s < 15
    finally:
        docker("image", "rm", "--force", other.partition("@")[2])


def layers(image: str) -> list[str]:
    listed: list[str] = json.loads(
        docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image.partition("@")[2])
    )
    return listed


def test_no_secret_compiler_cache_or_installer_is_left_in_the_image(image: str) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image.partition("@")[2])
    assert "BEGIN CERTIFICATE" not in history
    with running_container(image) as container:
        files = container.find()
        assert not [
            path for path in files if "/.cache/" in path or path.startswith(("/run/secrets/", "/opt/venv/bin/pip"))
        ]
        assert not [path for path in files if path.endswith(("/gcc", "/cc1", "/ld"))]
        assert {path for path in files if path.startswith("/app/model/")} == {
            f"/app/model/{name}" for name in ("model.joblib", "metadata.json", "golden_requests.json")
        }
        own = {Path(path).suffix for path in files if path.startswith("/app/service/")}
        assert own == {".py", ".pyc", ".json"}
        bundle = choose_ca_bundle()
        if bundle is not None:
            same_size = container.find("-size", f"{bundle.stat().st_size}c")
            # Debian's own package puts its bundle into a base image.
            assert set(same_size) <= {"/etc/ssl/certs/ca-certificates.crt"}


def test_the_image_is_no_larger_than_it_has_to_be(image: str) -> None:
    assert int(docker("image", "inspect", "--format", "{{.Size}}", image.partition("@")[2])) < SLIM
