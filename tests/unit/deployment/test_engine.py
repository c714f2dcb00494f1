"""The docker command, and syft: what is made of what they say."""

import json
from pathlib import Path

import pytest

from deployment import contents
from deployment.contents import list_contents
from deployment.engine import docker, find_image, pull_image, require_image
from deployment.image import ImageError
from deployment.outcomes import BadInputError
from deployment.programs import ProgramError, run_program
from tests.lib.programs import put_program

pytestmark = pytest.mark.unit
DIGEST = "sha256:" + "0a" * 32


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_a_command_that_fails_is_told_with_its_exit_code_and_last_lines(bin_dir: Path) -> None:
    put_program(bin_dir, "docker", complains="one\ndenied: no", exit_code=3)
    with pytest.raises(ImageError, match=r"docker push a:1: exit code 3: one\ndenied: no"):
        docker("push", "a:1")


def test_a_command_that_does_not_end_is_told_with_how_long_it_was_waited_for(tmp_path: Path) -> None:
    program = tmp_path / "endless"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(ProgramError, match=r"endless: no end within 0\.05 s"):
        run_program([str(program)], timeout_s=0.05)


def test_without_docker_the_way_to_get_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="docker: No such file or directory; install a Docker Engine"):
        docker("version")


def test_an_image_that_the_engine_lacks_is_none_and_where_it_is_needed_a_refusal(bin_dir: Path) -> None:
    put_program(bin_dir, "docker", complains="Error: No such image: diabetes", exit_code=1)
    assert find_image(f"diabetes@{DIGEST}") is None
    with pytest.raises(BadInputError, match=f"image diabetes@{DIGEST}: the Docker Engine has none"):
        require_image(f"diabetes@{DIGEST}")


def test_an_engine_that_does_not_answer_is_not_taken_for_one_without_the_image(bin_dir: Path) -> None:
    put_program(bin_dir, "docker", complains="Cannot connect to the Docker daemon", exit_code=1)
    with pytest.raises(ImageError, match="Cannot connect"):
        find_image("diabetes:1")


def test_a_pull_answers_the_digest_that_the_registry_names(bin_dir: Path) -> None:
    put_program(bin_dir, "docker", prints=f"1: Pulling from diabetes\nDigest: {DIGEST}\nStatus: up to date\n")
    assert pull_image("host.test/diabetes:1") == DIGEST
    put_program(bin_dir, "docker", prints="Status: up to date\n")
    with pytest.raises(ImageError, match="it names no digest"):
        pull_image("host.test/diabetes:1")


def test_what_is_in_an_image_is_counted_from_the_list_that_syft_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "SYFT", tmp_path / "bin" / "syft")
    asked = put_program(tmp_path / "bin", "syft")
    path = tmp_path / "list" / "sbom.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"packages": [{}, {}]}))
    assert list_contents(DIGEST, name="diabetes", version="1", path=path) == 2
    arguments = asked.read_text().splitlines()
    assert arguments[:2] == ["scan", f"docker:{DIGEST}"]
    assert f"spdx-json={path}" in arguments


def test_syft_that_fails_or_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SYFT", tmp_path / "bin" / "syft")
    with pytest.raises(ImageError, match="No such file or directory; `make env` installs it"):
        list_contents(DIGEST, name="diabetes", version="1", path=tmp_path / "sbom.json")
    put_program(tmp_path / "bin", "syft", complains="no space left", exit_code=1)
    with pytest.raises(ImageError, match=r"its contents cannot be listed.*no space left"):
        list_contents(DIGEST, name="diabetes", version="1", path=tmp_path / "sbom.json")
