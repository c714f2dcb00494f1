"""What all tests of this folder have: no pause of the product's is waited for."""

import pytest

from deployment import candidate, patience, rollback, shift


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a sick deployment at its first refusal, and repeat a call at once."""
    monkeypatch.setattr(rollback, "HEALTHY_WITHIN_S", 0.0)
    monkeypatch.setattr(shift, "SEEN_WITHIN_S", 0.0)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr(candidate, "FIRST_LOOK_S", 0.001)
