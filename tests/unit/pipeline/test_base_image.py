"""Another commit's image, from a tiny repository whose `make model` and `python -m deployment` are small scripts."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base_image import base_image
from pipeline.errors import PipelineError
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit

MAKEFILE = """\
model:
\t@mkdir -p artifacts/model
\t@cp version artifacts/model/metadata.json
\t@echo "trained $$(cat version)"
"""
PYTHON = """\
#!/bin/sh
echo "building with $*" >&2
echo "image=of-the-base" >> "${GITHUB_OUTPUT:-/dev/null}"
echo "a line before it"
echo "diabetes@sha256:$(cat version)"
"""
Commit = Callable[..., str]


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step) -> Commit:
    """Return what commits a version of the tiny repository, which is the working folder, and gives its hash."""
    del step
    root = tmp_path / "repository"
    (root / ".venv" / "bin").mkdir(parents=True)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(root)
    git("init", "--quiet")

    def make(version: str, *, makefile: str = MAKEFILE, python: str = PYTHON) -> str:
        (root / "version").write_text(version, encoding="utf-8")
        (root / "Makefile").write_text(makefile, encoding="utf-8")
        (root / ".venv" / "bin" / "python").write_text(python, encoding="utf-8")
        (root / ".venv" / "bin" / "python").chmod(0o755)
        git("add", "--all")
        git("commit", "--quiet", "--message", version)
        return git("rev-parse", "HEAD")

    return make


def git(*arguments: str) -> str:
    me = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"]
    ended = subprocess.run(["git", *me, *arguments], check=True, capture_output=True, text=True)
    return ended.stdout.strip()


def test_the_base_is_built_with_its_own_code_and_leaves_its_model(
    commit: Commit, step: Step, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = commit("1")
    commit("2", makefile="model:\n\t@exit 1\n", python="#!/bin/sh\nexit 1\n")
    base_image(os.environ, base, tmp_path / "base")
    assert step.outputs == {"image": "diabetes@sha256:1"}
    assert step.read("GITHUB_OUTPUT").count("\n") == 1, "the base's own commands must not write this step's outputs"
    assert (tmp_path / "base" / "metadata.json").read_text(encoding="utf-8") == "1"
    shown = capsys.readouterr()
    assert shown.out == "diabetes@sha256:1\n"
    assert "building with -m deployment build --model-dir artifacts/model --runtime containers" in shown.err
    assert git("status", "--short") == ""
    assert len(git("worktree", "list").splitlines()) == 1


def test_what_an_earlier_run_left_is_replaced(commit: Commit, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "old").touch()
    base_image(os.environ, commit("1")[:10], tmp_path / "base")
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["metadata.json"]


@pytest.mark.parametrize(
    ("makefile", "python", "why", "tail"),
    [
        ("model:\n\t@echo broken >&2; exit 3\n", PYTHON, "`make model` ended with code 2", "broken"),
        ("other:\n", PYTHON, "`make model` ended with code 2", "No rule to make target"),
        ("model:\n\t@echo nothing\n", PYTHON, "`make model` has left no artifacts/model", "nothing"),
        (MAKEFILE, "#!/bin/sh\necho no engine >&2; exit 20\n", "`python -m deployment build` ended with", "no engine"),
        (MAKEFILE, "#!/bin/sh\necho quiet >&2\n", "`python -m deployment build` has printed no image", "quiet"),
    ],
)
def test_a_base_that_cannot_be_built_is_a_warning_and_no_failure(
    makefile: str, python: str, why: str, tail: str, commit: Commit, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    base = commit("1", makefile=makefile, python=python)
    base_image(os.environ, base, Path("base"))
    assert step.outputs == {"image": ""}
    shown = capsys.readouterr().out
    assert shown.startswith(f"::warning title=The base cannot be built::{base[:12]}: {why}")
    assert f"## The base cannot be built: {base[:12]}" in step.summary
    assert tail in step.summary
    assert not Path("base").exists()
    assert len(git("worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("given", ["", "main", "--help", "0123abc", "f" * 40])
def test_a_commit_that_is_not_known_is_refused(given: str, commit: Commit, step: Step) -> None:
    commit("1")
    with pytest.raises(PipelineError, match=f"--commit: .*{given}") as raised:
        base_image(os.environ, given, Path("base"))
    assert raised.value.exit_code == 2
    assert step.outputs == {}
