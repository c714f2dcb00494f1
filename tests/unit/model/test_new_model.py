"""`python -m model new` writes a whole model to edit, and nothing over what git does not have."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import ModelError
from model.new_model import Kind, defines_something, files_of, new_model
from tests.lib.emulator import REPOSITORY

pytestmark = pytest.mark.unit
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@users.noreply.github.com", "-c", "commit.gpgsign=false")
SHIPPED = "from model.examples.regression import train\n\n__all__ = ['train']\n"
WORK = "def train(rows_share: float = 1.0) -> None:\n    raise NotImplementedError\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the command needs, with the train.py of the template, in a folder without git."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "model", tmp_path / "model", ignore=ignored)
    for path in (tmp_path / "model" / "code").glob("*.py"):  # a fork may have some of its own
        path.write_text("") if path.name == "__init__.py" else path.unlink()
    for lock in ("service.txt", "frames.txt"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "requirements" / lock, tmp_path / "requirements" / lock)
    (tmp_path / "model" / "train.py").write_text(SHIPPED)
    return tmp_path


@pytest.fixture
def fork(folder: Path) -> Path:
    """The same as a git checkout with everything committed."""
    (folder / ".gitignore").write_text("artifacts/\n__pycache__/\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "use this template")
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", Kind)
def test_a_new_model_is_the_example_of_its_kind_under_its_own_name(kind: Kind) -> None:
    files = files_of("churn-rate", kind)
    train = files["model/train.py"]
    example = (REPOSITORY / "model" / "examples" / f"{kind.replace('-', '_')}.py").read_text()
    assert 'NAME = "churn-rate"' in train
    changed = [(ours, theirs) for ours, theirs in zip(train.splitlines(), example.splitlines(), strict=True)
               if ours != theirs]  # fmt: skip
    assert len(changed) == (2 if kind is Kind.PLAIN_OBJECT else 1)
    assert "model.examples" not in train
    assert set(files) == {"model/train.py", *(["model/code/churn_rate_model.py"] * (kind is Kind.PLAIN_OBJECT))}


def test_the_command_trains_what_it_wrote_writes_the_card_and_says_what_comes_next(fork: Path) -> None:
    done = command(fork, "new", "--name", "queue", "--kind", "plain-object")
    assert done.returncode == 0, done.stderr
    metadata = json.loads((fork / "artifacts" / "model" / "metadata.json").read_text())
    assert metadata["name"] == "queue"
    assert "model/code/queue_model.py" in metadata["code_files"]
    assert not [name for name in metadata["code_files"] if "examples" in name]
    assert (fork / "model" / "MODEL_CARD.md").read_text().startswith("# queue\n")
    assert "1. Edit model/train.py and model/code/queue_model.py" in done.stdout
    for step in ("2. make model ", "3. make model-card ", "4. make demo ", "5. git add model"):
        assert step in done.stdout
    changed = git(fork, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line.split()[-1] for line in changed} == {
        "model/train.py",
        "model/code/queue_model.py",
        "model/MODEL_CARD.md",
    }


def test_work_that_git_does_not_have_is_refused_in_one_sentence_and_stays(fork: Path) -> None:
    (fork / "model" / "train.py").write_text(WORK)
    done = command(fork, "new", "--name", "churn", "--kind", "classifier")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip() == (
        "error: model/train.py: git does not have all of what is there, and it would be lost; commit it or move it "
        "away, or give --force to write over it (make new-model ... ARGS=--force)"
    )
    assert (fork / "model" / "train.py").read_text() == WORK
    assert not (fork / "artifacts").exists()


def test_work_that_is_staged_but_not_committed_is_refused(fork: Path) -> None:
    (fork / "model" / "train.py").write_text(WORK)
    git(fork, "add", "--all")
    with pytest.raises(ModelError, match=r"^model/train\.py: git does not have"):
        new_model("churn", Kind.CLASSIFIER, root=fork)


def test_a_class_of_ones_own_that_git_does_not_have_is_refused_too(fork: Path) -> None:
    (fork / "model" / "code" / "churn_model.py").write_text("class Own: ...\n")
    with pytest.raises(ModelError, match=r"^model/code/churn_model\.py: git does not have"):
        new_model("churn", Kind.PLAIN_OBJECT, root=fork)
    assert new_model("churn", Kind.CLASSIFIER, root=fork) == ["model/train.py"]


def test_work_that_git_has_is_written_over(fork: Path) -> None:
    (fork / "model" / "train.py").write_text(WORK)
    git(fork, "commit", "--quiet", "--all", "--message", "work")
    new_model("churn", Kind.CLASSIFIER, root=fork)
    assert 'NAME = "churn"' in (fork / "model" / "train.py").read_text()


def test_force_writes_over_anything(fork: Path) -> None:
    (fork / "model" / "train.py").write_text(WORK)
    new_model("churn", Kind.CLASSIFIER, force=True, root=fork)
    assert 'NAME = "churn"' in (fork / "model" / "train.py").read_text()


@pytest.mark.parametrize("is_git_there", [True, False])
def test_without_a_checkout_only_what_names_an_example_is_written_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_git_there: bool
) -> None:
    if is_git_there:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    else:
        monkeypatch.setenv("PATH", str(folder))
    new_model("churn", Kind.CLASSIFIER, root=folder)
    with pytest.raises(ModelError, match="--force"):
        new_model("churn", Kind.CLASSIFIER, root=folder)


@pytest.mark.parametrize(
    ("text", "expected"), [(SHIPPED, False), (WORK, True), ("class Own: ...\n", True), ("def", True), ("", False)]
)
def test_a_file_has_something_to_lose_if_it_defines_something(tmp_path: Path, text: str, *, expected: bool) -> None:
    (tmp_path / "train.py").write_text(text)
    assert defines_something(tmp_path / "train.py") is expected


@pytest.mark.parametrize("name", ["", "1st", "two words", "trailing-", "under_score", "a" * 33, "naïve"])
def test_a_name_that_azure_does_not_take_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ModelError, match="is none; take up to 32 letters, digits and dashes"):
        new_model(name, Kind.REGRESSION, root=folder)
    assert (folder / "model" / "train.py").read_text() == SHIPPED
