"""`python -m deployment compare`: two images beside each other on an emulated Azure ML, as for a pull request."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployment.image import build_image, choose_base_image
from model.faulty import Variant
from tests.container.conftest import IMAGE_NAME
from tests.lib.emulator import wait_until
from tests.lib.model_artefacts import write_artefacts
from tests.lib.service_container import containers_of, docker
from tests.lib.shipped import SETTINGS_FILE, SHIPPED, started_there

pytestmark = pytest.mark.container

# The shipped profile, shorter still.
PROFILE = """
[profiles.quick.load]
rate_pairs_per_s = 25
warmup_s = 1
duration_s = 6
timeout_s = 10
[profiles.quick.gate]
slo_p95_ms = 1000
max_error_ratio = 0.05
max_error_increase = 0.05
ignore_below_ms = 40
looks_s = []
min_samples = 100
block_s = 0.6
max_lag_p99_ms = 500
"""
REPORTS = {"report.html", "report.md", "comment.md", "report.json", "junit.xml"}


@dataclass(frozen=True)
class Model:
    """An image and the folder of the model in it."""

    image: str
    folder: Path


@dataclass(frozen=True)
class Bench:
    """Where a comparison runs: a folder for its settings, its reports and what it leaves for GitHub."""

    folder: Path

    @property
    def reports(self) -> Path:
        return self.folder / "reports" / "pull-request"

    @property
    def comment(self) -> str:
        return (self.reports / "comment.md").read_text(encoding="utf-8")

    def start(self, live: Model, candidate: Model, *further: str) -> subprocess.Popen[str]:
        settings = self.folder / "release.toml"
        settings.write_text(SETTINGS_FILE.read_text(encoding="utf-8") + PROFILE)
        command = [sys.executable, "-m", "deployment", "compare", "--settings", str(settings), "--profile", "quick"]
        command += ["--live", live.image, "--live-model-dir", str(live.folder)]
        command += ["--image", candidate.image, "--model-dir", str(candidate.folder)]
        command += ["--reports-dir", str(self.folder / "reports"), "--release-id", "pull-request", *further]
        told = {"GITHUB_OUTPUT": str(self.folder / "out"), "GITHUB_STEP_SUMMARY": str(self.folder / "summary")}
        told |= {"GITHUB_ACTIONS": "true", "RUN_URL": "https://ci.example/runs/7"}
        environment = started_there({**os.environ, **told})
        pipe, out = subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen(command, cwd=SHIPPED, env=environment, stdout=pipe, stderr=out, text=True)

    def compare(self, live: Model, candidate: Model, *further: str) -> tuple[int, str]:
        """Run a comparison; return its exit code and what it printed."""
        process = self.start(live, candidate, *further)
        output, _ = process.communicate(timeout=150)
        return process.returncode, output


@pytest.fixture
def bench(tmp_path: Path, image: str) -> Iterator[Bench]:
    yield Bench(tmp_path)
    assert not containers_of(image), "containers are left"


@pytest.fixture
def good(image: str, model_dir: Path) -> Model:
    return Model(image, model_dir)


@pytest.fixture(scope="module")
def broken(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A model that fails its golden requests at the start."""
    del engine
    folder = write_artefacts(tmp_path_factory.mktemp("broken"), version="1", variant=Variant.WRONG)
    image = build_image(model_dir=folder, name=f"{IMAGE_NAME}-broken", base_image=choose_base_image())
    yield Model(image, folder)
    assert not containers_of(image), "containers are left"
    docker("image", "rm", "--force", image.partition("@")[2])


def test_an_image_beside_its_like_passes_and_the_report_says_what_was_compared(bench: Bench, good: Model) -> None:
    bench.reports.mkdir(parents=True)
    (bench.reports / "journal.jsonl").write_text("of an earlier comparison\n")
    exit_code, output = bench.compare(good, good)
    assert exit_code == 0, output
    lines = bench.comment.splitlines()
    assert lines[0] == "<!-- release report of diabetes__the_change_beside_its_base -->"
    assert lines[1] == "### ✅ PASSED · diabetes, the change beside its base"
    assert "green is the change (commit 0123abcd, model 1), blue the base (commit 0123abcd, model 1)." in lines[2]
    assert lines[-1] == "[run](https://ci.example/runs/7)"
    assert {path.name for path in bench.reports.iterdir()} >= REPORTS
    assert "of an earlier comparison" not in (bench.reports / "journal.jsonl").read_text()
    assert "13 of 13" in output or "answered 13 golden requests right" in output
    assert (bench.folder / "out").read_text().splitlines() == [
        "outcome=passed",
        "release_id=pull-request",
        f"report={bench.reports / 'report.html'}",
    ]
    assert "All 13 payloads were answered as live answers them" in (bench.folder / "summary").read_text()


def test_a_broken_base_is_a_warning_and_the_change_is_measured_alone(bench: Bench, broken: Model, good: Model) -> None:
    exit_code, output = bench.compare(broken, good)
    assert exit_code == 0, output
    assert "::warning title=pull-request%3A the base is broken::blue did not become ready: model: golden" in output
    assert (
        "measured alone, as the base (commit unknown, model 1) is broken: blue did not become ready: model: golden"
        in bench.comment.splitlines()[2]
    )
    assert bench.comment.splitlines()[1].startswith("### ✅ PASSED")


def test_a_change_that_does_not_become_ready_fails_however_advisory_the_comparison_is(
    bench: Bench, broken: Model, good: Model
) -> None:
    exit_code, output = bench.compare(good, broken, "--advisory")
    assert exit_code == 14, output
    assert "::error title=pull-request%3A not provisioned::green did not become ready" in output
    assert bench.comment.splitlines()[1].startswith("### ⛔ NOT PROVISIONED")
    assert {path.name for path in bench.reports.iterdir()} >= REPORTS


def test_a_comparison_that_is_told_to_stop_leaves_no_container_and_a_report(bench: Bench, good: Model) -> None:
    process = bench.start(good, good)
    journal = bench.reports / "journal.jsonl"
    wait_until(lambda: process.poll() is not None or (journal.exists() and "smoked" in journal.read_text()), 60)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 17, output
    assert "STOPPED" in bench.comment
