"""The table at the end of a test run: which workflows were executed, and what was asserted of them.

A plugin of tests/conftest.py: with pytest-xdist a worker executes them, and another process prints.
"""

from typing import Any

import pytest

SENT_AS = "executed_workflows"
LINES: list[str] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the lines to the process that prints, where this is a worker."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[SENT_AS] = LINES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the lines of a worker that has ended."""
    LINES.extend(getattr(node, "workeroutput", {}).get(SENT_AS, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines, if any."""
    if LINES:
        terminalreporter.section("executed workflows: scenario, time, and each job's result with its steps that ran")
    for line in sorted(LINES):
        terminalreporter.write_line(line)
