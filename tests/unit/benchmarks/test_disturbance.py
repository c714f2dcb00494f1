import subprocess
import sys

import pytest

from benchmarks.disturbance import Disturbance

pytestmark = pytest.mark.unit

SPIN = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def test_what_our_own_processes_take_is_no_disturbance(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([(0.0, 100.0, 10.0), (10.0, 108.0, 16.0)])
    monkeypatch.setattr(Disturbance, "_read", staticmethod(lambda: next(seen)))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert Disturbance().percent() == pytest.approx(10)


def test_a_child_that_has_ended_is_ours() -> None:
    before = Disturbance._read()  # noqa: SLF001 - what the machine says, which no test can set
    subprocess.run([sys.executable, "-c", SPIN], check=True)
    after = Disturbance._read()  # noqa: SLF001 - as above
    assert after[2] - before[2] >= 0.45
    assert after[1] - before[1] >= 0.4
