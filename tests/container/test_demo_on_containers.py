"""The README's demo, with containers of the image that it builds as colours."""

import contextlib
import re
from pathlib import Path

import docker
import pytest

from tests.lib.demo import make_demo

pytestmark = pytest.mark.container


def test_the_demo_releases_containers_and_leaves_none_behind(tmp_path: Path) -> None:
    with contextlib.closing(docker.from_env()) as client:
        before = {container.id for container in client.containers.list(all=True)}
        demo = make_demo(tmp_path, "RUNTIME=auto")
        assert {container.id for container in client.containers.list(all=True)} == before
    assert demo.exit_code == 0, demo.output
    assert "Colours are containers of the image that this demo builds" in demo.output
    assert re.search(r"background client +\d+ requests \(blue \d+, green \d+\), 0 failed", demo.output)
