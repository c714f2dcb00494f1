"""How `make test` spreads the tests over its two workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lib.beside import NICENESS
from tests.lib.emulator import REPOSITORY

pytestmark = pytest.mark.unit

CONFTEST = """
from tests.lib import beside

beside.BESIDE = ("test_others.py",)


def pytest_xdist_make_scheduler(config, log):
    return beside.schedule(config, log)


def pytest_runtest_setup(item):
    beside.yield_to_the_others(item)
"""
TESTS = """
import json
import os

import pytest


@pytest.mark.parametrize("number", range(8))
def test_where(number, worker_id):
    said = {"module": __name__, "worker": worker_id, "niceness": os.getpriority(os.PRIO_PROCESS, 0)}
    with open(os.environ["SAID"], "a") as file:
        file.write(json.dumps(said) + chr(10))
"""


def test_what_needs_a_quiet_machine_has_a_worker_of_its_own_and_the_others_yield_to_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for module in ("test_quiet.py", "test_others.py"):
        (tmp_path / module).write_text(TESTS)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadscope", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "SAID": str(tmp_path / "said")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]
    quiet = [each for each in said if each["module"] == "test_quiet"]
    others = [each for each in said if each["module"] == "test_others"]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert len(quiet) == len(others) == 8
    assert len({each["worker"] for each in quiet}) == 1
    assert {each["niceness"] for each in quiet} == {own}
    assert {each["niceness"] for each in others} == {max(own, NICENESS)}
