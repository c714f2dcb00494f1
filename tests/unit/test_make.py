"""The Makefile, and how tests start make."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lib.emulator import REPOSITORY
from tests.lib.fork import AUTHOR
from tests.lib.making import environment_for_make
from tests.lib.programs import put_program

pytestmark = pytest.mark.unit

SCRIPT = REPOSITORY / "scripts" / "model-version.sh"
PYTHON = '#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done\n'


def test_what_an_outer_make_was_given_does_not_reach_the_make_of_a_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Makefile").write_text('all:\n\t@echo "<$(ARGS)> $(MAKELEVEL)"\n')
    for name, value in {"MAKEFLAGS": " -- ARGS=-k\\ gate", "MAKELEVEL": "1", "ARGS": "-k gate"}.items():
        monkeypatch.setenv(name, value)

    def printed(environment: dict[str, str]) -> str:
        command = ["make", "--no-print-directory"]
        made = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return made.stdout.strip()

    assert printed(environment_for_make()) == "<> 0"
    assert printed(dict(os.environ)) == "<-k gate> 1"


class Checkout:
    """A repository with this Makefile, whose python prints what it is asked for, and a model of one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("model", "requirements", "scripts", "data", ".venv/bin"):
            (folder / name).mkdir(parents=True)
        shutil.copy(REPOSITORY / "Makefile", folder)
        shutil.copy(SCRIPT, folder / "scripts")
        put_program(folder / "scripts", "environment.sh")
        python = folder / ".venv" / "bin" / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)
        for path in ("model/train.py", "requirements/model.txt", "data/rows.csv"):
            self.write(path, "1\n")
        self.write(".gitignore", "*.pyc\nscripts/*.asked\n")

    def write(self, path: str, content: str) -> None:
        (self.folder / path).write_text(content, encoding="utf-8")

    def git(self, *arguments: str) -> str:
        command = ["git", *AUTHOR, *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        """Commit everything, and return the commit as a version names it."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")[:12]

    def make_model(self, *variables: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environment = {**environment_for_make(), **environ}
        command = ["make", "model", *variables]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def version(self, *variables: str) -> str:
        """Return the version that `make model` trains."""
        made = self.make_model(*variables)
        assert made.returncode == 0, made.stderr
        words = made.stdout.splitlines()
        return words[words.index("--version") + 1]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The files alone, without git."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "VERSION", "TRAINED_FROM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return Checkout(tmp_path / "checkout")


@pytest.fixture
def checkout(bare: Checkout) -> Checkout:
    bare.git("init", "--quiet")
    return bare


def test_a_model_is_called_after_the_last_commit_that_changed_it(checkout: Checkout) -> None:
    first = checkout.commit()
    checkout.write("data/rows.csv", "2\n")
    checkout.commit()
    assert checkout.version() == first
    checkout.write("requirements/model.txt", "2\n")
    assert checkout.commit() == checkout.version() != first


@pytest.mark.parametrize("path", ["model/train.py", "model/rows.csv", "requirements/model.txt"])
def test_a_model_of_what_git_does_not_have_says_so_in_its_version(path: str, checkout: Checkout) -> None:
    commit = checkout.commit()
    checkout.write("data/rows.csv", "2\n")
    checkout.write("model/train.pyc", "compiled")
    assert checkout.version() == commit
    checkout.write(path, "2\n")
    assert checkout.version() == f"{commit}-edited"
    checkout.git("add", "--all")
    assert checkout.version() == f"{commit}-edited"
    assert checkout.version("VERSION=3") == "3"


def test_data_elsewhere_counts_where_it_is_said_to(checkout: Checkout) -> None:
    trained_from = "TRAINED_FROM=model requirements/model.txt data"
    checkout.commit()
    checkout.write("data/rows.csv", "2\n")
    second = checkout.commit()
    assert checkout.version(trained_from) == second
    checkout.write("data/more.csv", "3\n")
    assert checkout.version(trained_from) == f"{second}-edited"


def test_a_folder_that_is_not_there_is_named(checkout: Checkout) -> None:
    checkout.commit()
    made = checkout.make_model("TRAINED_FROM=model dat")
    assert (made.returncode, made.stdout) == (2, "")
    assert "version: TRAINED_FROM: there is no 'dat'" in made.stderr


def test_without_git_it_is_said_how_to_name_the_model(bare: Checkout, tmp_path: Path) -> None:
    def refused(**environ: str) -> str:
        made = bare.make_model(**environ)
        assert (made.returncode, made.stdout) == (2, "")
        assert "name the model yourself: make model VERSION=..." in made.stderr
        return made.stderr

    assert "is no git repository that can be read" in refused()
    for program in ("sh", "bash", "env", "make"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    assert "there is no git on PATH" in refused(PATH=str(tmp_path))
    assert bare.version("VERSION=3") == "3"
    bare.git("init", "--quiet")
    assert "git has no commit here yet" in refused()
    bare.git("add", "scripts")
    bare.git("commit", "--quiet", "--message", "no model")
    assert "no commit has any of model requirements/model.txt" in refused()


def test_a_shallow_clone_is_told_that_its_oldest_commit_may_not_be_the_models(checkout: Checkout) -> None:
    checkout.commit()
    checkout.write("data/rows.csv", "2\n")
    second = checkout.commit()
    checkout.git("clone", "--quiet", "--depth", "1", f"file://{checkout.folder}", "shallow")
    clone = checkout.folder / "shallow"
    asked = subprocess.run([SCRIPT, "model"], cwd=clone, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == second
    assert f"the clone is shallow, so that {second} is the oldest commit here" in asked.stderr
    assert "fetch-depth: 0" in asked.stderr
