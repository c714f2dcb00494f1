"""The commands of an image: what they refuse before they touch anything, and what they leave for a workflow."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployment import cli_image
from deployment.building import Runtime
from deployment.cli import app
from deployment.image import ImageError
from deployment.outcomes import BadInputError
from tests.lib.model_artefacts import write_artefacts
from tests.lib.programs import put_program
from tests.unit.deployment.test_attestation import IMAGE, PROVENANCE, an_answer

pytestmark = pytest.mark.unit


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of a workflow: its outputs are in `out`, its summary in `summary`."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "out"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    for name in ("ACR_LOGIN_SERVER", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*arguments: str) -> str:
    """Run a command in this process; return what it printed, or raise what it raised."""
    ended = CliRunner().invoke(app, arguments)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_a_build_is_called_as_the_deployment_file_says_and_gives_its_reference_to_the_next_step(step: Path) -> None:
    model = write_artefacts(step / "model")
    own = step / "own.yml"
    own.write_text("environment:\n  name: churn.risk-byoc\n")
    arguments = ("--runtime", "processes", "--bundles", str(step / "bundles"), "--deployment-file", str(own))
    image = run("build", "--model-dir", str(model), *arguments).strip()
    assert image.startswith("churn.risk-byoc@sha256:")
    assert (step / "out").read_text() == f"image={image}\n"
    with pytest.raises(BadInputError, match=r"--tar image\.tar: a bundle is no image; --runtime containers"):
        run("build", "--model-dir", str(model), *arguments, "--tar", "image.tar")


@pytest.mark.parametrize("options", [(), ("--image", "", "--deployment", "")])
def test_a_fetch_is_of_an_image_or_of_a_deployment(step: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(BadInputError, match="name either --image or --deployment"):
        run("fetch", "--output", str(step / "model"), *options)


@pytest.mark.parametrize("registry", ["https://mine.azurecr.io", "mine.azurecr.io/team", "mine"])
def test_a_registry_is_a_host(step: Path, registry: str) -> None:
    told = f"registry: {registry!r} is no host; write it as mine.azurecr.io"
    with pytest.raises(BadInputError, match=told):
        run("fetch", "--output", str(step / "model"), "--image", "", "--registry", registry)
    with pytest.raises(BadInputError, match=told):
        run("publish", "--image", IMAGE, "--registry", registry)
    with pytest.raises(BadInputError, match=told):
        run("login", "--registry", registry)


def test_what_no_commit_describes_is_not_published(step: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del step
    monkeypatch.setattr(cli_image, "git_sha", lambda: "unknown")
    with pytest.raises(BadInputError, match="no commit to tag the image with"):
        run("publish", "--image", IMAGE, "--registry", "mine.azurecr.io")


def test_what_is_attested_is_shown_and_added_to_the_summary(step: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{step / 'bin'}:/usr/bin:/bin")
    put_program(step / "bin", "gh", prints=an_answer())
    printed = run("verify", "--image", IMAGE, "--repository", "me/models")
    assert PROVENANCE in printed
    assert "c0ffee" in printed
    assert "| commit | c0ffee |" in (step / "summary").read_text()


def test_an_image_that_cannot_be_saved_is_no_output(step: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ImageError("no space left")

    monkeypatch.setattr(Runtime, "chosen", lambda _: Runtime.CONTAINERS)
    monkeypatch.setattr(cli_image, "build_image_or_bundle", lambda *_, **__: IMAGE)
    monkeypatch.setattr(cli_image, "save_image", refuse)
    model = write_artefacts(step / "model")
    with pytest.raises(ImageError, match="no space left"):
        run("build", "--model-dir", str(model), "--tar", str(step / "image.tar"))
    assert not (step / "out").exists()
