"""The README's demo, with containers of the image that it builds as colours."""

import re

import pytest

from tests.lib.demo import ReadmeDemo

pytestmark = pytest.mark.container


@pytest.mark.timeout(600)  # the first that asks for the demo may have to install an engine before
def test_the_demo_releases_containers_and_leaves_none_behind(readme_demo: ReadmeDemo) -> None:
    demo = readme_demo.demo
    assert readme_demo.is_in_containers
    assert demo.exit_code == 0, demo.output
    assert not readme_demo.containers_left
    assert "Colours are containers of the image that this demo builds" in demo.output
    assert re.search(r"background client +\d+ requests \(blue \d+, green \d+\), 0 failed", demo.output)
