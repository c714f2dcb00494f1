"""Whole releases: the command line, the unmodified SDK, the emulator, and processes of the real service as colours."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.image import build_bundle
from deployment.outcomes import EXIT_BAD_INPUT, EXIT_LEFT_OVER, EXIT_PLATFORM_ERROR, Outcome
from tests.lib.emulator import REPOSITORY, running_emulator, wait_until
from tests.lib.github_step import a_step
from tests.lib.site import Finished, Site, finish, train_models

pytestmark = pytest.mark.release

BRIEF = """
[profiles.brief.load]
rate_pairs_per_s = 60
warmup_s = 1
duration_s = 5
timeout_s = 10
[profiles.brief.gate]
max_error_ratio = 0.05
min_samples = 100
block_s = 0.5
max_lag_p99_ms = 250
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """The folder of an emulator that has ended, whose endpoint is served by model 1, deployed by a first release."""
    folder = tmp_path_factory.mktemp("released")
    with running_emulator(folder) as emulator:
        first = Site(emulator, models, tmp_path_factory.mktemp("first")).promote("1")
    assert first.exit_code == 0, first.output
    assert "first release" in first.output
    return folder


@pytest.fixture
def site(tmp_path: Path, models: Path, released: Path) -> Iterator[Site]:
    """Yield an emulator that goes on where a copy of the released one ended."""
    shutil.copytree(released, tmp_path / "emulator")
    with running_emulator(tmp_path / "emulator") as emulator:
        site = Site(emulator, models, tmp_path)
        site.wait_until_served()
        yield site


def test_a_good_candidate_takes_all_traffic_and_no_client_notices(site: Site) -> None:
    with site.background_client() as background:
        finished = site.promote("2")
    assert finished.exit_code == Outcome.PROMOTED.exit_code, finished.output
    assert site.traffic() == {"green": 100}
    assert background.failures == 0
    assert set(background.answered) == {"blue", "green"}
    for percent in (10, 50, 100):
        assert f"probes reached green at {percent} %" in finished.output
    assert "PROMOTED" in site.report("2").splitlines()[0]
    assert site.key() not in finished.output + site.report("2")

    shown = site.command("status")
    assert shown.exit_code == 0
    assert "diabetes: green 100 %" in shown.output

    back = site.command("rollback")
    assert back.exit_code == 0, back.output
    assert "ROLLED BACK blue 100 %: 40 of 40 probes reached blue" in back.output
    assert site.traffic() == {"blue": 100}


def test_a_candidate_that_cannot_start_never_has_traffic_and_is_not_in_the_way_of_the_next(site: Site) -> None:
    with site.background_client() as background:
        finished = site.promote("broken")
    assert finished.exit_code == Outcome.NOT_PROVISIONED.exit_code, finished.output
    assert site.traffic() == {"blue": 100}
    assert background.failures == 0
    assert set(background.answered) == {"blue"}
    assert "is not the file that was trained (sha256" in site.report("broken").splitlines()[2]
    report = site.report("broken")
    assert "Why it did not start" in report
    assert "**⚠ BackOff**: Back-off restarting failed container inference-server (exit code 3)" in report
    log = (site.report_folder("broken") / "green-inference-server.log").read_text(encoding="utf-8")
    assert log.splitlines()[-1] in report
    assert "**storage-initializer**, it wrote nothing" in report
    after = site.promote("2")
    assert after.exit_code == 0, f"the failed deployment was in the way:\n{after.output}"


def test_an_image_of_another_model_than_the_release_names_is_refused_by_the_smoke_test(site: Site) -> None:
    other = build_bundle(model_dir=site.models / "1", bundles_dir=site.emulator.bundles_dir, name="diabetes")
    finished = site.promote("2", image=other)
    assert finished.exit_code == Outcome.REFUSED_BY_SMOKE.exit_code, finished.output
    assert site.traffic() == {"blue": 100}
    assert "green answered 13 of 13 golden requests wrongly" in site.report("2").splitlines()[2]


def test_a_release_that_is_told_to_stop_in_the_middle_of_a_shift_takes_the_traffic_back(site: Site) -> None:
    finished = site.promote_disturbed("2", lambda process: process.send_signal(signal.SIGTERM))
    assert finished.exit_code == Outcome.ROLLED_BACK.exit_code, finished.output
    assert site.traffic() == {"blue": 100}
    assert "The release was told to stop" in site.report("2")


def test_a_candidate_that_dies_under_traffic_loses_it(site: Site) -> None:
    finished = site.promote_disturbed("2", lambda _: site.kill_colour("green"))
    assert finished.exit_code == Outcome.ROLLED_BACK.exit_code, finished.output
    assert site.traffic() == {"blue": 100}
    assert "Breach at 10 % traffic" in site.report("2")


def test_a_release_that_is_killed_in_the_middle_of_a_shift_keeps_others_out_until_it_is_resumed(site: Site) -> None:
    killed = site.promote_disturbed("2", lambda process: process.kill())
    assert killed.exit_code == -signal.SIGKILL
    assert site.traffic() == {"blue": 90, "green": 10}

    other = site.promote("1", release_id="another")
    assert other.exit_code == EXIT_BAD_INPUT
    assert "release release-of-2 is under way (shifting since" in other.output
    assert "`python -m deployment resume` goes on with it, `abort` takes it back" in other.output
    assert site.traffic() == {"blue": 90, "green": 10}

    with site.background_client() as background:
        resumed = site.resume("2")
    assert resumed.exit_code == 0, resumed.output
    assert "deploying" not in resumed.output
    assert site.traffic() == {"green": 100}
    assert background.failures == 0
    assert "goes on as shifting" in site.report("2")

    nothing = site.resume("2")
    assert nothing.exit_code == EXIT_BAD_INPUT
    assert "no release is under way; release release-of-2 has ended as promoted" in nothing.output


def test_a_release_that_is_aborted_by_another_process_touches_nothing_any_more(site: Site) -> None:
    aborted: list[Finished] = []
    finished = site.promote_disturbed("2", lambda _: aborted.append(site.command("abort", *site.options)))
    assert aborted[0].exit_code == 0, aborted[0].output
    assert "ROLLED BACK blue 100 %" in aborted[0].output
    assert finished.exit_code == Outcome.FROZEN.exit_code, finished.output
    assert "somebody else has changed it" in site.report("2")
    assert site.traffic() == {"blue": 100}
    history = json.loads(site.command("history", "--json").output)
    assert [entry["outcome"] for entry in history] == ["rolled back", "promoted"]


def test_a_release_that_is_told_to_stop_before_the_shift_lets_go_of_the_endpoint(site: Site) -> None:
    process = site.start(site.promotion("2"))
    journal = site.report_folder("2") / "journal.jsonl"
    wait_until(lambda: process.poll() is not None or (journal.exists() and "smoked" in journal.read_text()), 120)
    process.send_signal(signal.SIGINT)
    finished = finish(process)
    assert finished.exit_code == Outcome.STOPPED.exit_code, finished.output
    assert site.traffic() == {"blue": 100}
    assert json.loads(site.command("status", "--json").output)["release"]["phase"] == "refused"


def test_each_phase_alone_takes_the_release_on_from_the_one_before(site: Site) -> None:
    image = site.image_of("2")
    begun = site.phase("deploy", "2", "--image", image, "--release-id", "release-of-2", "--profile", "careful")
    assert begun.exit_code == 0, begun.output
    assert "autoscale: blue has no fewer than 1 instances" in (site.report_folder("2") / "journal.jsonl").read_text()
    for phase in ("smoke", "load", "gate"):
        gone = site.phase(phase, "2")
        assert gone.exit_code == 0, gone.output
    assert "PASSED" in site.report("2").splitlines()[0]
    assert site.traffic() == {"blue": 100}

    shown = json.loads(site.command("status", "--json").output)
    assert shown["release"]["phase"] == "passed"
    assert [(each["name"], each["role"]) for each in shown["deployments"]] == [("blue", "live"), ("green", "candidate")]

    shifted = site.phase("shift", "2", "--profile", "careful")
    assert shifted.exit_code == 0, shifted.output
    assert "setting blue 100 %, mirrored: green 20 %" in shifted.output
    assert "drill: the way back took" in shifted.output
    assert site.traffic() == {"green": 100}
    assert "green is as good as blue" in site.report("2")
    assert "put autoscale setting autoscale-diabetes-green: green has 2 to 5 instances" in shifted.output

    kept = site.command("finish")
    assert "blue stays warm until" in kept.output
    site.scale("blue", 2)
    scaled = site.command("finish", "--now", *site.settings("careful"))
    assert "blue scaled from 2 to 1 instances" in scaled.output
    assert "put autoscale setting autoscale-diabetes-green" in scaled.output
    switched_off = site.command("autoscale", *site.settings("quick"))
    assert "remove autoscale setting autoscale-diabetes-green" in switched_off.output
    finished = site.command("finish", "--now")
    assert "blue deleted: it had no traffic" in finished.output
    assert [each["name"] for each in json.loads(site.command("status", "--json").output)["deployments"]] == ["green"]

    gone = site.command("teardown", "--yes")
    assert "endpoint diabetes deleted, with green" in gone.output
    assert "does not exist" in site.command("status").output


def test_what_a_release_has_left_over_is_found_by_the_guard_and_deleted_where_that_is_wished(site: Site) -> None:
    image = site.image_of("2")
    begun = site.phase("deploy", "2", "--image", image, "--release-id", "release-of-2")
    assert begun.exit_code == 0, begun.output
    aborted = site.command("abort", *site.options, "--release-id", "release-of-2")
    assert aborted.exit_code == 0, aborted.output

    found = site.command("guard", *site.options)
    assert found.exit_code == EXIT_LEFT_OVER, found.output
    assert "no request reaches green of release release-of-2" in found.output
    repaired = site.command("guard", *site.options, "--repair")
    assert repaired.exit_code == 0, repaired.output
    assert [each["name"] for each in site.ask("GET", "/deployments")["value"]] == ["blue"]
    assert site.traffic() == {"blue": 100}


def test_what_serves_is_load_tested_and_left_as_it_is(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = a_step(tmp_path, monkeypatch)
    settings = site.folder / "release.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + BRIEF, encoding="utf-8")
    before = site.ask("GET")
    tested = site.phase("load-test", "1", "--profile", "brief")
    assert tested.exit_code == 0, tested.output
    assert "PASSED blue keeps its SLO" in tested.output
    assert site.ask("GET") == before
    page = Path(step.outputs["report"])
    assert page.parent.name.startswith("load-test-")
    assert sorted(path.name for path in page.parent.iterdir()) == [
        *("comment.md", "journal.jsonl", "junit.xml", "report.html", "report.json", "report.md", "rows.csv.gz")
    ]
    assert step.outputs["outcome"] == "passed"
    assert "PASSED" in step.summary.splitlines()[0]


def test_an_image_named_by_a_tag_is_refused_before_anything_is_touched(site: Site) -> None:
    finished = site.promote("2", image="diabetes:latest")
    assert finished.exit_code == EXIT_BAD_INPUT
    assert "diabetes:latest" in finished.output
    assert site.traffic() == {"blue": 100}


def test_without_a_workspace_the_command_says_what_to_export() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "ARM_"))}
    command = [sys.executable, "-m", "deployment", "status"]
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == EXIT_BAD_INPUT
    assert "AZURE_SUBSCRIPTION_ID" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_sdk_is_not_let_loose_on_the_public_cloud_when_a_local_one_was_meant() -> None:
    elsewhere = {"ARM_CLOUD_METADATA_URL": "https://127.0.0.1:9/metadata", "AZURE_SUBSCRIPTION_ID": "s"}
    environment = {**os.environ, **elsewhere, "AZURE_RESOURCE_GROUP": "g", "AZUREML_WORKSPACE_NAME": "w"}
    environment.pop("AZUREML_CURRENT_CLOUD", None)
    command = [sys.executable, "-m", "deployment", "status"]
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode in {EXIT_BAD_INPUT, EXIT_PLATFORM_ERROR}
    assert "AZUREML_CURRENT_CLOUD" in ended.stderr
