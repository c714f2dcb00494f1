"""A part of the matrix, drawn by a seed that changes by the day; `make faults` runs all of it."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from deployment.phases import Phase
from deployment.platform import Routing
from tests.faults.cells import Held, Storm
from tests.faults.worker import Worker
from tests.lib.emulator import REPOSITORY
from tests.lib.making import environment_for_make
from tests.lib.release_fakes import make_record

if TYPE_CHECKING:
    from tests.lib.emulator_control import EmulatorControl

pytestmark = pytest.mark.faults
CELLS, STORMS_S = 20, 8
SPLIT = Routing({"blue": 90, "green": 10})


def test_releases_that_are_struck_at_any_call_keep_every_promise_and_are_repaired_by_the_next_run(
    tmp_path: Path,
) -> None:
    seed = datetime.now(UTC).date().toordinal()
    arguments = f"ARGS=--sample {CELLS} --storms-s {STORMS_S} --jobs 2 --timings 1 --seed {seed}"
    command = ["make", "faults", arguments, f"REPORTS={tmp_path}"]
    ended = subprocess.run(
        command, cwd=REPOSITORY, env=environment_for_make(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = {each["name"]: each["value"] for each in json.loads((tmp_path / "faults.json").read_text())["figures"]}
    assert figures["cells held"] == figures["storms held"] == 1
    assert figures["cells run"] >= CELLS / 2


class SplitForGood:
    """A control plane whose endpoint stays split and held, with something left over."""

    def arm(self, path: str) -> dict[str, Any]:
        if path.endswith("/deployments"):
            names = {"blue": "Succeeded", "green": "Failed"}
            return {"value": [{"name": name, "properties": {"provisioningState": names[name]}} for name in names]}
        record = make_record(Phase.SHIFTING, routing=SPLIT)
        return {"tags": record.to_tags(), "properties": {"traffic": dict(SPLIT.traffic), "mirrorTraffic": {}}}


def test_a_promise_that_is_broken_is_seen() -> None:
    worker = object.__new__(Worker)
    worker.control = cast("EmulatorControl", SplitForGood())
    held = Held(Storm(1), first="rolled back", second="promoted")
    worker.check_first(held, "fake", Routing({"blue": 100}), "green")
    worker.check_second(held, "fake", Routing({"blue": 100}), "green")
    assert [each.partition(":")[0] for each in held.broken] == [
        "rolled back, but the traffic is blue 90 %, green 10 % where it was blue 100 %",
        "the run after it",
        "still held",
        "left over",
    ]
