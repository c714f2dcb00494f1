"""`python -m tests.faults.worker`: an emulator of its own, on which cells run one after the other."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from deployment.image import build_bundle
from deployment.platform import Routing
from deployment.record import read_record
from deployment.scoring import ScoringClient
from tests.faults.cells import KILL_BEFORE, Cell, Held, Kind, Storm, positions
from tests.faults.client import ClientProcess, connect_and_tell, tell
from tests.lib.emulator import LEADING_ELSEWHERE, RunningEmulator, running_emulator, write_bundle
from tests.lib.emulator_control import EmulatorControl
from tests.lib.model_artefacts import write_artefacts
from tests.lib.tiny_model_server import __file__ as server_file

STRUCK = "struck"
UNTOUCHED = frozenset({"stopped", "platform error", "not provisioned", "refused by the smoke test"})
WORK: TypeAdapter[Cell | Storm] = TypeAdapter(Cell | Storm)


class Worker:
    """Runs cells on one emulator; each release takes the idle colour, so the two take turns."""

    def __init__(self, emulator: RunningEmulator, folder: Path) -> None:
        # Not before the environment leads there: the SDK reads it when it is imported.
        from tests.faults import running  # noqa: PLC0415 - see above

        self.running = running
        self.folder = folder
        script = Path(server_file).read_text(encoding="utf-8")
        self.images = [write_bundle(emulator.bundles_dir, script, variables={"N": str(n)}) for n in (1, 2)]
        self.control = EmulatorControl(emulator.variables)
        self.bundles_dir = emulator.bundles_dir
        self.releases = 0

    def prepare(self) -> None:
        """Give the endpoint its first release."""
        ended = self.release("first", self.images[0], STRUCK)
        assert ended == "promoted", ended

    def record_calls(self, kind: Kind) -> Iterator[dict[str, Any]]:
        """Run a release that nothing strikes, and yield its positions."""
        endpoint = "recorded" if kind is Kind.FIRST else STRUCK
        candidate = self.candidate(endpoint)
        self.leave_over(kind, endpoint)
        self.control.forget_calls()
        ended = self.release(f"recorded-{kind}", self.images[1], endpoint, kind=kind)
        assert ended == ("rolled back" if kind is Kind.BACK else "promoted"), ended
        calls = [call for call in self.control.calls() if not call.call.startswith("clouds.")]
        for position in positions(calls, endpoint, candidate):
            yield {"position": dataclasses.asdict(position)}
        self.close(endpoint, kind)

    def run(self, work: Cell | Storm) -> Held:
        """Strike one release, then release the same again without faults, and hold both against the promises."""
        self.releases += 1
        endpoint = f"{STRUCK}-{self.releases}" if work.kind is Kind.FIRST else STRUCK
        release_id, image = f"r-{self.releases}", self.images[self.releases % 2]
        held = Held(work)
        started_s = time.monotonic()
        with self.watched(endpoint, held):
            before, candidate = self.routing(endpoint), self.candidate(endpoint)
            self.leave_over(work.kind, endpoint)
            if isinstance(work, Storm):
                held.first = self.rage(work, endpoint, candidate, release_id, image)
            else:
                held.first = self.strike(work, endpoint, candidate, release_id, image, held)
                self.check_first(held, endpoint, before, candidate)
            held.second = self.release(release_id, image, endpoint)
            self.check_second(held, endpoint, before, candidate)
        if said := self.close(endpoint, work.kind):
            held.broken.append(f"could not be closed: {said}")
        held.took_s = time.monotonic() - started_s
        return held

    def strike(self, cell: Cell, endpoint: str, candidate: str, release_id: str, image: str, held: Held) -> str:
        """Run a release with the cell's fault in its way."""
        if cell.kills:
            place, before = cell.position.place, cell.fault == KILL_BEFORE
            kill = partial(self.running.kill_at, place, before=before)
            ended = self.release(release_id, image, endpoint, kill, cell.kind)
            held.struck = ended == "killed"
            return ended
        with self.control.fault(cell.control_fault(endpoint, candidate)) as placed:
            ended = self.release(release_id, image, endpoint, kind=cell.kind)
            (now,) = [each for each in self.control.faults() if each.id == placed.id]
            held.struck = now.struck > 0
        return ended

    def rage(self, storm: Storm, endpoint: str, candidate: str, release_id: str, image: str) -> str:
        """Run the same release some times with random faults in its way, killed now and then."""
        ends = []
        for fault, kill_place in zip(storm.faults(endpoint, candidate), storm.kills(), strict=True):
            self.control.add(fault)
            ends.append(
                self.release(
                    release_id,
                    image,
                    endpoint,
                    lambda place=kill_place: self.running.kill_at(place, before=place % 2 == 0) if place else None,
                )
            )
        self.control.clear()
        return ", ".join(ends)

    def release(
        self, release_id: str, image: str, endpoint: str, kill: Any = lambda: None, kind: Kind = Kind.NEXT
    ) -> str:
        site = self.running.Site(self.folder, endpoint)
        connect: Any = ScoringClient
        if kind is Kind.BACK:
            connect = self.running.BreachAtTheSecondStep
        elif endpoint != STRUCK:
            connect = partial(connect_and_tell, self.route_to(endpoint))
        return self.running.release_in_child(site, release_id, image, kill, connect)

    def time(self, number: int) -> Iterator[dict[str, Any]]:
        """Release the real service in a process of its own, SDK imported and all, and yield how long that took."""
        model_dir = self.folder / "model"
        if not model_dir.exists():
            write_artefacts(model_dir, "1")
        image = build_bundle(model_dir=model_dir, bundles_dir=self.bundles_dir, name="timed")
        command = [sys.executable, "-m", "tests.faults.timed", str(self.folder), "timed", f"timed-{number}"]
        started_s = time.monotonic()
        subprocess.run([*command, image, str(model_dir)], check=True, stdout=subprocess.DEVNULL)
        yield {"took_s": time.monotonic() - started_s}
        self.close("timed", Kind.NEXT)

    # What was promised

    def check_first(self, held: Held, endpoint: str, before: Routing, candidate: str) -> None:
        """The run that was struck says how it ended, and it is so."""
        routing = self.routing(endpoint)
        if held.first == "promoted" and routing != Routing({candidate: 100}):
            held.broken.append(f"promoted, but the traffic is {routing}")
        elif held.first in UNTOUCHED | {"rolled back"} and routing != before:
            held.broken.append(f"{held.first}, but the traffic is {routing} where it was {before}")
        elif held.first.startswith(("hangs", "crashed", "refused by the gate", "inconclusive", "invalid")):
            held.broken.append(f"the struck run: {held.first}")

    def check_second(self, held: Held, endpoint: str, before: Routing, candidate: str) -> None:
        """The run after it has repaired everything: one deployment serves, nothing is held, nothing is left over."""
        routing = self.routing(endpoint)
        expected = {"promoted": Routing({candidate: 100}), "rolled back": before}.get(held.second)
        if routing != expected:
            held.broken.append(f"the run after it: {held.second}; traffic {routing}")
        record = read_record(self.ask(endpoint)["tags"])
        if record is None or record.in_flight:
            held.broken.append(f"still held: {record.phase if record else 'no record'}")
        found = {each["name"]: each["properties"]["provisioningState"] for each in self.deployments(endpoint)}
        orphans = set(found) - {"blue", "green"}
        if orphans or set(found.values()) - {"Succeeded"} or set(routing.traffic) - set(found):
            held.broken.append(f"left over: {found}")

    @contextmanager
    def watched(self, endpoint: str, held: Held) -> Iterator[None]:
        """Let a client ask all the while; before a first release nobody can, but from its first answer on."""
        route = self.route_to(endpoint)
        if found := self.ask(endpoint).get("properties"):
            tell(route, found["scoringUri"], self.control.key(endpoint))
        client = ClientProcess(route)
        try:
            yield
        finally:
            counted = client.stop()
            if counted["failed"] or not counted["answered"]:
                held.broken.append(f"clients: {counted['failed']} of {counted['answered']} requests failed")

    # What is there

    def route_to(self, endpoint: str) -> Path:
        return self.folder / f"{endpoint}.route.json"

    def candidate(self, endpoint: str) -> str:
        return next(name for name in ("blue", "green") if name not in self.routing(endpoint).traffic)

    def routing(self, endpoint: str) -> Routing:
        found = self.ask(endpoint).get("properties", {})
        return Routing(dict(found.get("traffic", {})), dict(found.get("mirrorTraffic", {})))

    def ask(self, endpoint: str) -> dict[str, Any]:
        return self.control.arm(f"onlineEndpoints/{endpoint}")

    def deployments(self, endpoint: str) -> list[dict[str, Any]]:
        return list(self.control.arm(f"onlineEndpoints/{endpoint}/deployments").get("value", []))

    def leave_over(self, kind: Kind, endpoint: str) -> None:
        """Leave a deployment under the candidate's name, where the release is to find one."""
        if kind is Kind.LEFTOVER:
            said = self.running.leave_over_in_child(self.running.Site(self.folder, endpoint), self.images[0])
            assert said == "stopped", said

    def close(self, endpoint: str, kind: Kind) -> str:
        return self.running.close_in_child(self.running.Site(self.folder, endpoint), delete=kind is Kind.FIRST)


def main() -> None:
    """Read work from stdin, a JSON line each, and write what came of it to stdout."""
    folder = Path(sys.argv[1])
    with running_emulator(folder) as emulator:
        for name in [name for name in os.environ if name.startswith(LEADING_ELSEWHERE)]:
            del os.environ[name]
        os.environ.update(emulator.variables)
        worker = Worker(emulator, folder)
        worker.prepare()
        for line in sys.stdin:
            asked = json.loads(line)
            if "record" in asked:
                said = list(worker.record_calls(Kind(asked["record"])))
            elif "timed" in asked:
                said = list(worker.time(asked["timed"]))
            else:
                said = [dataclasses.asdict(worker.run(WORK.validate_python(asked)))]
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
