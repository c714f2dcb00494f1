"""What tests of several folders share."""

import os
from typing import TYPE_CHECKING

import pytest

from tests.lib import beside, executed_table

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.lib.demo import ReadmeDemo

# What a workflow, or somebody's shell, has set for commands of this repository is not for those that are tested. Typer
# looks whether it is in GitHub Actions when it is first imported, which may be in a test that says so.
OTHERS = ("GITHUB_", "ACTIONS_", "ACR_LOGIN_SERVER", "AZUREML_ENDPOINT_NAME", "GUARD_REPAIR", "RUN_URL")
for variable in [name for name in os.environ if name.startswith(OTHERS)]:
    del os.environ[variable]
import typer.rich_utils  # noqa: E402, F401 - now


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
