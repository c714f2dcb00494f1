"""Prometheus and promtool for the tests that need them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lib.emulator import REPOSITORY

EXIT_CANNOT_FETCH = 69


def put_on_path(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """See that both are on PATH; CI gets Debian's, elsewhere the test is skipped where there are none.

    A mirror that is down skips it in CI too, and says so: the local view is optional, and no release goes by it. That
    the package is unknown, or not what it was, fails.
    """
    if all(shutil.which(each) for each in ("prometheus", "promtool")):
        return
    if not os.environ.get("CI"):
        pytest.skip("no prometheus on PATH; `apt-get install --no-install-recommends prometheus` brings it")
    script = REPOSITORY / "scripts" / "prometheus.sh"
    done = subprocess.run([script, folder], capture_output=True, text=True, check=False)
    if done.returncode == EXIT_CANNOT_FETCH:
        pytest.skip(f"CI has no prometheus, and apt-get cannot fetch it: {' '.join(done.stderr.split())[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    patch.setenv("PATH", str(folder), prepend=os.pathsep)
