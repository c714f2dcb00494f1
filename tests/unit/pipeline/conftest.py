"""What all tests of this folder have: they are a step of a workflow, at the repository's root."""

from pathlib import Path

import pytest

from tests.lib.emulator import REPOSITORY
from tests.lib.github_step import Step, a_step


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    monkeypatch.chdir(REPOSITORY)
    return a_step(tmp_path, monkeypatch)
