"""What people work with here: commands that pages name exist, hooks and forms are valid, notebooks have no output."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information

from tests.docs.test_links import ROOT, pages

pytestmark = pytest.mark.unit

MAKE = re.compile(r"(?:^|[`;&] ?|\w=\S+ )make ([a-z][a-z-]*)\b", re.MULTILINE)
HOOKS = ROOT / ".pre-commit-config.yaml"
DEPLOYMENT = re.compile(r"python -m deployment ([a-z][a-z-]+)")
MODEL = re.compile(r"python -m model ([a-z][a-z-]+)")
PIPELINE = re.compile(r"python3 -m pipeline ([a-z][a-z-]+)")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def tracked(pattern: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listing.splitlines()]


def commands_of(program: str) -> set[str]:
    listing = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "python"), "-m", program, "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout
    return set(re.findall(r"^[│ ]+([a-z][a-z-]+) ", listing, re.MULTILINE))


def test_every_target_that_a_page_names_exists() -> None:
    named = {(page.name, target) for page in pages() for target in MAKE.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 15
    assert not {(page, target) for page, target in named if target not in targets()}


def test_every_target_is_in_the_help_but_what_others_call() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = set(re.findall(r"^([a-z][a-z-]*):.*## ", makefile, re.MULTILINE))
    assert targets() - told == {"env"}
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared is not None
    assert set(declared[1].split()) == targets()


@pytest.mark.parametrize(("program", "naming"), [("deployment", DEPLOYMENT), ("model", MODEL), ("pipeline", PIPELINE)])
def test_every_command_that_a_page_names_exists(program: str, naming: re.Pattern[str]) -> None:
    commands = commands_of(program)
    named = {(page.name, each) for page in pages() for each in naming.findall(page.read_text(encoding="utf-8"))}
    assert named
    assert not {(page, each) for page, each in named if each not in commands}


def hooks() -> list[dict[str, Any]]:
    return [hook for repo in yaml.safe_load(HOOKS.read_text(encoding="utf-8"))["repos"] for hook in repo["hooks"]]


def test_every_hook_is_a_program_of_this_repository_and_fetches_nothing() -> None:
    for hook in hooks():
        assert hook["language"] == "system"
        assert (ROOT / hook["entry"].split()[0]).exists(), hook["entry"]


def test_the_hooks_run_and_refuse_what_is_not_formatted(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / ".pre-commit-config.yaml").write_bytes(HOOKS.read_bytes())
    (tmp_path / "good.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "bad.py").write_text("x   =   1\n", encoding="utf-8")

    def hook(file: str) -> int:
        command = [str(ROOT / ".venv" / "bin" / "pre-commit"), "run", "ruff-format", "--files", file]
        environment = {**os.environ, "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "cache")}
        subprocess.run(["git", "add", ".pre-commit-config.yaml", "good.py", "bad.py"], cwd=tmp_path, check=True)
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode

    assert hook("good.py") == 0
    assert hook("bad.py") == 1
    assert (tmp_path / "bad.py").read_text(encoding="utf-8") == "x = 1\n"


def test_the_devcontainer_sets_itself_up_by_a_target() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    program, target = container["postCreateCommand"].split()
    assert program == "make"
    assert target in targets()


def test_the_folders_that_contributing_names_are_those_of_the_tests() -> None:
    named = set(re.findall(r"`tests/(\w+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert named == folders - {"lib"}


def test_every_decision_is_short_and_has_a_number_of_its_own() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 32 for path in decisions)


def test_a_notebook_is_stored_without_output() -> None:
    for path in tracked("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code
        assert not [cell["source"] for cell in code if cell["outputs"] or cell["execution_count"] is not None], path
