"""What all tests of bootstrap have: a subscription and a repository that answer as they were recorded."""

import pytest

from tests.lib.shipped import SHIPPED
from tests.unit.deployment.bootstrap.scene import Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(SHIPPED)
    return Scene()
