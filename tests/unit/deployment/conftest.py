"""What all tests of this folder have: no pause of the product's is waited for."""

from pathlib import Path

import pytest

from deployment import candidate, patience, rollback, shift
from tests.unit.deployment.preflight_scene import Bench
from tests.unit.deployment.takeback_scene import Arrange, arranging


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a sick deployment at its first refusal, and repeat a call at once."""
    monkeypatch.setattr(rollback, "HEALTHY_WITHIN_S", 0.0)
    monkeypatch.setattr(shift, "SEEN_WITHIN_S", 0.0)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr(candidate, "FIRST_LOOK_S", 0.001)


@pytest.fixture
def arrange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """Return what arranges an endpoint on which traffic is to be given back."""
    return arranging(tmp_path, monkeypatch)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return what runs a preflight."""
    return Bench(tmp_path)
