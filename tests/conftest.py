"""What tests of several folders share."""

from typing import TYPE_CHECKING

import pytest

from tests.lib import beside, executed_table

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.lib.demo import ReadmeDemo


def pytest_configure(config: pytest.Config) -> None:
    beside.configure(config)
    config.pluginmanager.register(executed_table)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> beside.Scheduling:
    return beside.schedule(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    beside.yield_to_the_others(item)


@pytest.fixture(scope="session")
def readme_demo(tmp_path_factory: pytest.TempPathFactory) -> "ReadmeDemo":
    """`make demo`, run once for all that is asserted of it."""
    from tests.lib.demo import make_readme_demo  # noqa: PLC0415 - half a second that most sessions do not need

    return make_readme_demo(tmp_path_factory.mktemp("readme-demo"))
