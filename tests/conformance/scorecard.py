"""Which of the SDK's operations passed: the table that the suite prints and the figure that it writes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cloud import OPERATIONS


class Scorecard:
    """A pytest plugin; an operation is covered when tests called it and each of them passed."""

    def __init__(self, report: Path, runtime: str) -> None:
        self._report = report
        self._runtime = runtime
        self._wanted = [f"{group}.{name}" for group, names in OPERATIONS.items() for name in names]
        self._passed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._azure_was_asked = False
        self._bad: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._bad.add(report.nodeid)
        if report.when != "teardown":
            return
        called = dict(report.user_properties).get("operations", [])
        assert isinstance(called, list)
        self._azure_was_asked |= "[azure" in report.nodeid and bool(called)
        (self._failed if report.nodeid in self._bad else self._passed).update(called)

    @property
    def covered(self) -> list[str]:
        return [name for name in self._wanted if self._passed[name] and not self._failed[name]]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        figure = {
            "name": "SDK operations covered",
            "value": len(self.covered),
            "unit": "operations",
            "at_least": len(self._wanted),
        }
        self._report.parent.mkdir(parents=True, exist_ok=True)
        self._report.write_text(json.dumps({"figures": [figure]}, indent=2) + "\n")
        if len(self.covered) < len(self._wanted) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Print last of all, so that the figure is the last line."""
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        width = max(len(name) for name in self._wanted)
        lines = ["", f"{'SDK operation':{width}}  {'tests':>5}  passed"]
        for name in self._wanted:
            passed, failed = self._passed[name], self._failed[name]
            verdict = "yes" if name in self.covered else "no" if failed else "no: no test called it"
            lines.append(f"{name:{width}}  {passed + failed:5}  {verdict}")
        where = f"the emulator ({self._runtime}){' and on Azure' if self._azure_was_asked else '; Azure was not asked'}"
        lines += ["", f"{len(self.covered)} of {len(self._wanted)} SDK operations pass on {where}."]
        for line in lines:
            reporter.write_line(line)
