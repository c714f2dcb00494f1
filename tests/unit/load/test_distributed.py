"""The commands of docs/load.md, as they stand there but for the numbers: plain Locust, its web UI, several workers."""

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployment.emulator.processes import free_loopback_ports
from load.gate import judge
from load.rows import Rows
from load.rows_file import read_rows
from load.settings import read_gate_policy
from tests.lib.emulator import wait_until
from tests.lib.paired_server import running_paired_server

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[3]
KEY = "key-that-must-not-be-seen"
BLOCKS: list[str] = re.findall(
    r"^```sh\n(.*?)^```", (REPOSITORY / "docs" / "load.md").read_text(), re.DOTALL | re.MULTILINE
)
SHORTER = {"rate-pairs-per-s": 80, "warmup-s": 0.5, "duration-s": 2, "first-rate-per-s": 25, "step-s": 1}
SETTINGS = """
[load]
rate_pairs_per_s = 80
warmup_s = 0.5
duration_s = 2
[gate]
slo_p95_ms = 150
min_samples = 100
block_s = 0.25
looks_s = []
ignore_below_ms = 100
max_error_ratio = 0.2
max_error_increase = 0.2
min_throughput_ratio = "off"
max_p99_ratio = "off"
max_lag_p99_ms = 500
[profiles.smoke]
"""
END_S = 60.0


def documented(words: str, **replaced: str) -> str:
    """Return the block of docs/load.md in which these words stand, with a smaller load."""
    (block,) = [each for each in BLOCKS if words in each]
    for option, value in SHORTER.items():
        block = re.sub(rf"--{option} \S+", f"--{option} {value}", block)
    for written, instead in replaced.items():
        block = re.sub(rf"\b{written}\b", instead, block)
    return block.strip()


class Place:
    """A folder in which the commands run as they do in the repository, and a server that they load."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder = folder
        for name in (".venv", "load"):
            (folder / name).symlink_to(REPOSITORY / name)
        (folder / "deployment").mkdir()
        (folder / "deployment" / "release.toml").write_text(SETTINGS)
        (folder / "my-requests.jsonl").write_text('{"data": [[1, 2]]}\n{"id": "cold", "body": {"data": [[0, 0]]}}\n')
        self.master_port, self.web_port = free_loopback_ports(2)
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOCUST")},
            "SCORING_URI": uri,
            "MASTER_HOST": "127.0.0.1",
            "LOCUST_MASTER_BIND_HOST": "127.0.0.1",
            "LOCUST_MASTER_BIND_PORT": str(self.master_port),
            "LOCUST_MASTER_NODE_PORT": str(self.master_port),
            "LOCUST_WEB_HOST": "127.0.0.1",
            "LOCUST_WEB_PORT": str(self.web_port),
        }

    @contextmanager
    def started(self, script: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Start a script; whatever is left of it at the end is ended."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {script}"],
            cwd=self.folder,
            env=self.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, script: str, code: int = 0, **variables: str) -> str:
        """Run a script to its end, and return what it says."""
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=self.folder,
            env=self.environ | {"ENDPOINT_KEY": KEY} | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rows(self, name: str = "rows.csv.gz") -> Rows:
        return read_rows(self.folder / name)

    def ask_web_ui(self, path: str, **form: str) -> Any:
        data = urllib.parse.urlencode(form).encode() if form else None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", data, timeout=10) as answer:
            return json.load(answer)

    def state(self) -> str:
        """Return what the web UI says of the test; nothing before it answers."""
        with suppress(OSError):
            return str(self.ask_web_ui("/stats/requests")["state"])
        return ""


@pytest.fixture(scope="module")
def scoring_uri() -> Iterator[str]:
    with running_paired_server(KEY) as uri:
        yield uri


@pytest.fixture
def place(tmp_path: Path, scoring_uri: str) -> Place:
    return Place(tmp_path, scoring_uri)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=END_S)
    return process.returncode, said


def assert_whole(rows: Rows, roles: int = 2) -> None:
    """Every arrival has asked everybody, and nobody failed."""
    assert rows.end is not None
    _, counts = np.unique(rows.pair, return_counts=True)
    assert set(counts.tolist()) == {roles}
    assert len(counts) == rows.end.pairs
    assert set(rows.error.tolist()) == {""}
    assert set(rows.payload.tolist()) == {"line-1", "cold"}


def test_a_file_of_ones_own_is_sent_and_judged_as_documented(place: Place) -> None:
    said = place.run(documented("load run"))
    assert_whole(place.rows())
    assert {"blue", "green"} == set(place.rows().answered_by.tolist())
    assert "PASS: green is as good as blue" in said


def test_a_capacity_is_found_as_documented(place: Place) -> None:
    said = place.run(documented("load capacity", green="narrow") + " --precision 0.5 --most-per-s 200")
    kept = re.search(r"narrow keeps its SLO at (\S+) requests/s; at \S+ requests/s (p95 is|p99 is|\S+ % of)", said)
    assert kept, said
    assert 25 <= float(kept[1]) < 84  # it answers 50 a second


def test_plain_locust_starts_and_ends_by_itself_as_documented(place: Place) -> None:
    script = documented("--rate-pairs-per-s 10") + " --autostart --autoquit 0"
    said = place.run(script)
    assert_whole(place.rows())
    assert KEY not in said


def test_the_web_ui_starts_a_run_says_what_is_missing_and_starts_another(place: Place) -> None:
    script = documented("--rate-pairs-per-s 10").replace("--payloads my-requests.jsonl", "")
    with place.started(script, ENDPOINT_KEY=KEY) as process:
        wait_until(lambda: place.state() != "", END_S)
        place.ask_web_ui("/swarm", user_count="1", spawn_rate="1", payloads="missing.jsonl")
        wait_until(lambda: "missing.jsonl cannot be read" in str(place.ask_web_ui("/logs")), END_S)
        assert not (place.folder / "rows.csv.gz").exists()

        # Another number of users in the form changes nothing: one of them sends all.
        place.ask_web_ui("/swarm", user_count="3", spawn_rate="3", payloads="my-requests.jsonl", duration_s="1")
        wait_until((place.folder / "rows.csv.gz").exists, END_S)
        wait_until(lambda: place.state() == "stopped", END_S)
        process.terminate()
        process.communicate(timeout=END_S)
    assert_whole(place.rows())
    assert place.rows().plan.duration_s == 1


def test_workers_share_the_rate_and_their_rows_are_merged_and_judged_as_documented(place: Place) -> None:
    worker = documented("--worker")
    with (
        place.started(documented("--master ")) as master,
        place.started(worker, ENDPOINT_KEY=KEY) as first,
        place.started(worker, ENDPOINT_KEY=KEY) as second,
    ):
        code, said = ended(master)
        assert (code, ended(first)[0], ended(second)[0]) == (0, 0, 0), said

    said = place.run(documented("load merge"))

    parts = [place.rows(f"rows.worker-{number}.csv.gz") for number in range(2)]
    for part in parts:
        assert_whole(part)
        assert part.plan.rate_pairs_per_s == 40
    assert parts[0].plan.seed != parts[1].plan.seed
    merged = place.rows()
    assert_whole(merged)
    assert merged.plan.rate_pairs_per_s == 80
    assert len(merged) == sum(map(len, parts))
    assert judge(merged, read_gate_policy(place.folder / "deployment" / "release.toml")).sentence in said
    assert "PASS: green is as good as blue" in said


def test_a_worker_without_a_key_ends_the_run_and_the_master_says_why(place: Place) -> None:
    worker = documented("--worker")
    with (
        place.started(documented("--master ")) as master,
        place.started(worker, ENDPOINT_KEY=KEY) as able,
        place.started(worker, ENDPOINT_KEY="") as unable,
    ):
        code, said = ended(master)
        assert code == 1, said
        assert "load: ENDPOINT_KEY is not set; export the endpoint's key (worker " in said
        assert (ended(able)[0], ended(unable)[0]) == (0, 1)


WRONG: Mapping[str, str] = {
    "--rate-pairs-per-s 0": "load: --rate-pairs-per-s is 0.0: Input should be greater than 0",
    "--scoring-uri example.com": "load: --scoring-uri is example.com; it has to begin with https://",
    "--candidate ''": "load: --scoring-uri, --candidate and --payloads are needed",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_plain_locust_without_a_web_ui_refuses_what_cannot_work(wrong: str, place: Place) -> None:
    said = place.run(f"{documented('--rate-pairs-per-s 10')} --headless {wrong}", code=1)
    assert WRONG[wrong] in said
