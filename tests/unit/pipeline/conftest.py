"""What all tests of this folder have: they are a step of a workflow, at the root of what is shipped."""

from pathlib import Path

import pytest

from tests.lib.github_step import Step, a_step
from tests.lib.shipped import SHIPPED


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    monkeypatch.chdir(SHIPPED)
    return a_step(tmp_path, monkeypatch)
