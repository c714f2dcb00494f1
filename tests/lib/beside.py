"""Which tests may run beside others: `make test` has two workers, one for what needs a quiet machine, in one order.

Most of those wait: for a load, for a container, for traffic to move. What is measured meanwhile must not be disturbed,
so the tests with a limit in milliseconds or a load are one unit of pytest-xdist's `--dist loadscope`, which the first
worker gets as the largest; the others, file by file, are the second worker's, at a lower priority.
"""

import os

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# At this niceness a process still gets a tenth of a machine that is busy.
NICENESS = 10
BESIDE = (
    "tests/conformance/",
    "tests/release/test_azureml_adapter.py",
    "tests/release/test_emulator_alone.py",
    "tests/release/test_emulator_with_sdk.py",
    "tests/release/test_federated_login.py",
    "tests/release/test_preflight.py",
    "tests/release/test_seed_",
    "tests/unit/deployment/",
    "tests/unit/load/test_calibration.py",
    "tests/unit/load/test_charts",
    "tests/unit/load/test_cli_calibrate.py",
    "tests/unit/load/test_gate.py",
    "tests/unit/load/test_intervals.py",
    "tests/unit/load/test_parity",
    "tests/unit/load/test_report",
    "tests/unit/load/test_resampling.py",
    "tests/unit/load/test_simulation.py",
    "tests/unit/pipeline/",
    "tests/unit/test_help.py",
    "tests/unit/test_repository.py",
    "tests/unit/test_scripts.py",
)


def may_run_beside(node_id: str) -> bool:
    """Whether a test disturbs nothing and is disturbed by nothing."""
    return node_id.startswith(BESIDE)


def configure(config: pytest.Config) -> None:
    """Let Hypothesis not mind how long an example takes where others run beside it."""
    if is_worker(config):
        hypothesis.settings.register_profile("beside", deadline=None)
        hypothesis.settings.load_profile("beside")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist ships no types
    """What needs a quiet machine is one unit of work, and each other file one."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if may_run_beside(nodeid) else "alone"


def schedule(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


def yield_to_the_others(item: pytest.Item) -> None:
    """Lower this worker's priority, for good, before the first test that runs beside others."""
    if is_worker(item.config) and may_run_beside(item.nodeid) and os.getpriority(os.PRIO_PROCESS, 0) < NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
