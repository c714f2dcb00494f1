from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import load.cli_measure
from load.__main__ import app
from load.measure import LoadError, LoadPlan, Measurement
from load.rows_file import read_rows
from load.settings import GatePolicy
from tests.lib.load_samples import Answers, synthetic_rows
from tests.lib.stored_rows import store_rows

pytestmark = pytest.mark.unit

URI = "https://example.com/score"
SETTINGS = """
[load]
rate_pairs_per_s = 20
end_rate_pairs_per_s = 80
warmup_s = 30
duration_s = 60
[gate]
slo_p95_ms = 100
looks_s = [30]
[profiles.quick.load]
duration_s = 7
[profiles.wrong.load]
rate = 7
"""


class Inputs:
    """Files that a command is given, all of them good."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings, self.payloads = folder / "release.toml", folder / "own.jsonl"
        self.settings.write_text(SETTINGS)
        self.payloads.write_text('{"data": [[1.5]]}\n')
        self.rows = folder / "reports" / "rows.csv.gz"

    def run(self, *words: str, uri: str = URI, payloads: Path | None = None) -> Result:
        return self.invoke("run", uri, payloads, "--candidate", "green", "--rows", str(self.rows), *words)

    def capacity(self, *words: str, uri: str = URI, payloads: Path | None = None) -> Result:
        folder = str(self.folder / "capacity")
        return self.invoke("capacity", uri, payloads, "--deployment", "green", "--rows-dir", folder, *words)

    def invoke(self, command: str, uri: str, payloads: Path | None, *words: str) -> Result:
        given = ["--scoring-uri", uri, "--payloads", str(payloads or self.payloads), "--settings", str(self.settings)]
        return CliRunner().invoke(app, [command, *given, *words])


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    monkeypatch.setenv("ENDPOINT_KEY", "key-that-must-not-be-seen")
    return Inputs(tmp_path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LoadPlan, GatePolicy | None]]:
    """What `run` has measured, which is nothing."""
    plans: list[tuple[LoadPlan, GatePolicy | None]] = []

    def measure(plan: LoadPlan, *, rows_path: Path, policy: GatePolicy | None, **_: Any) -> Measurement:
        plans.append((plan, policy))
        return Measurement(rows_path, 100, 200, 3, 12.0, 0.04)

    monkeypatch.setattr(load.cli_measure, "measure", measure)
    return plans


def test_a_run_measures_by_the_settings_and_says_where_the_rows_are(
    inputs: Inputs, asked: list[tuple[LoadPlan, GatePolicy | None]]
) -> None:
    result = inputs.run("--live", "blue", "--profile", "quick")
    assert result.exit_code == 0, result.output
    assert len(asked) == 1
    plan, policy = asked[0]
    assert (plan.scoring_uri, plan.live, plan.candidate) == (URI, "blue", "green")
    assert (plan.settings.rate_pairs_per_s, plan.settings.duration_s) == (20, 7)
    assert policy is not None
    assert list(policy.looks_s) == [30]
    assert "200 requests, 3 failed, in 12 s; the generator used 4.00 % of a core" in result.output
    assert str(inputs.rows) in result.output


def test_a_run_without_live_measures_the_candidate_alone_and_a_whole_one_heeds_no_look(
    inputs: Inputs, asked: list[tuple[LoadPlan, GatePolicy | None]]
) -> None:
    assert inputs.run("--whole").exit_code == 0
    plan, policy = asked[0]
    assert (plan.live, policy) == (None, None)


def test_a_run_that_was_broken_off_for_lives_sake_says_so_and_has_another_exit_code(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Measurement(inputs.rows, 100, 200, 90, 12.0, 0.04, "live failed 90 of 100 requests within 10 s")
    monkeypatch.setattr(load.cli_measure, "measure", lambda *_, **__: measured)
    result = inputs.run("--live", "blue")
    assert result.exit_code == 12
    assert "load: the load was broken off: live failed 90 of 100 requests" in result.output


def test_a_load_that_broke_off_says_why(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: Any, **__: Any) -> Measurement:
        raise LoadError("load: Locust ended with code 1; its last lines:\nConnection refused")

    monkeypatch.setattr(load.cli_measure, "measure", measure)
    for result in (inputs.run(), inputs.capacity()):
        assert result.exit_code == 12
        assert "Connection refused" in result.output


Wrong = Callable[[Inputs], dict[str, Any]]


def unreadable(inputs: Inputs) -> dict[str, Any]:
    inputs.settings.write_bytes(b"\xff\xfe[load]")
    return {}


def no_toml(inputs: Inputs) -> dict[str, Any]:
    inputs.settings.write_text("[load")
    return {}


def missing_settings(inputs: Inputs) -> dict[str, Any]:
    inputs.settings.unlink()
    return {}


def no_requests(inputs: Inputs) -> dict[str, Any]:
    inputs.payloads.write_text("\n")
    return {}


@pytest.mark.parametrize("command", ["run", "capacity"])
@pytest.mark.parametrize(
    ("wrong", "words", "told"),
    [
        (unreadable, (), "release.toml cannot be used"),
        (no_toml, (), "release.toml cannot be used"),
        (missing_settings, (), "release.toml cannot be used (No such file or directory)"),
        (no_requests, (), "own.jsonl holds no request"),
        (lambda inputs: {"payloads": inputs.folder / "missing.jsonl"}, (), "missing.jsonl cannot be read"),
        (lambda _: {"uri": "example.com/score"}, (), "example.com/score has to begin with https://"),
        (lambda _: {}, ("--profile", "missing"), "has no profile 'missing'"),
        (lambda _: {}, ("--profile", "wrong"), "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_sent(
    command: str, wrong: Wrong, words: tuple[str, ...], told: str, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load.cli_measure, "measure", lambda *_, **__: pytest.fail("something was sent"))
    invoke = inputs.run if command == "run" else inputs.capacity
    result = invoke(*words, **wrong(inputs))
    assert result.exit_code == 2, result.output
    assert told in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [("--first-rate-per-s", "0"), ("--most-per-s", "251"), ("--precision", "0.6")])
def test_a_search_beyond_what_an_endpoint_takes_is_refused(words: tuple[str, ...], inputs: Inputs) -> None:
    assert inputs.capacity(*words).exit_code == 2


def test_no_key_is_no_capacity(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENDPOINT_KEY")
    result = inputs.capacity()
    assert result.exit_code == 2
    assert "ENDPOINT_KEY is not set; export the endpoint's key" in result.output


def answering(monkeypatch: pytest.MonkeyPatch, answers: Callable[[float], Answers]) -> list[LoadPlan]:
    plans: list[LoadPlan] = []

    def measure(plan: LoadPlan, *, rows_path: Path, **_: Any) -> None:
        plans.append(plan)
        rate = plan.settings.rate_pairs_per_s
        store_rows(rows_path, synthetic_rows(answers(rate), alone=True, rate=rate, seed=len(plans)))

    monkeypatch.setattr(load.cli_measure, "measure", measure)
    return plans


def test_a_search_shows_every_rate_keeps_its_rows_and_says_which_rate_is_kept(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = answering(monkeypatch, lambda rate: Answers(20 if rate < 14 else 400))
    result = inputs.capacity("--first-rate-per-s", "8", "--step-s", "10", "--precision", "0.4")
    assert result.exit_code == 0, result.output
    assert [plan.settings.rate_pairs_per_s for plan in plans] == [8, 12, 18]
    first = plans[0]
    assert (first.live, first.candidate) == (None, "green")
    # The settings speak of a ramp: one rate after another is tried all the same.
    assert (first.settings.end_rate_pairs_per_s, first.settings.warmup_s, first.settings.duration_s) == (None, 2.5, 10)
    assert "green keeps its SLO at 12 requests/s; at 18 requests/s p95 is " in result.output
    names = {path.name for path in (inputs.folder / "capacity").iterdir()}
    assert names == {"capacity-8.csv.gz", "capacity-12.csv.gz", "capacity-18.csv.gz"}


@pytest.mark.parametrize(
    ("answers", "code", "told"),
    [
        (Answers(400), 10, "green does not keep its SLO at 5 requests/s: at 5 requests/s p95 is "),
        (Answers(20, lag_ms=60), 12, "It cannot be told what green can do: at 5 requests/s the generator was at its"),
        (Answers(20, error_ratio=1.0, error="http_401", status=401), 12, "401 or 403: the key was refused."),
        (Answers(20, error_ratio=1.0), 10, "100.0 % of the requests failed, over 1.00 %."),
    ],
)
def test_a_search_that_found_no_rate_says_whose_fault_it_is(
    answers: Answers, code: int, told: str, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, lambda _: answers)
    result = inputs.capacity()
    assert result.exit_code == code, result.output
    assert told in result.output
    assert "inf ms" not in result.output


def test_workers_files_become_one(tmp_path: Path) -> None:
    rows = synthetic_rows()
    parts = [
        store_rows(tmp_path / f"rows.worker-{worker}.csv.gz", replace(rows, plan=replace(rows.plan, seed=worker)))
        for worker in range(2)
    ]
    whole = tmp_path / "reports" / "rows.csv.gz"
    result = CliRunner().invoke(app, ["merge", *map(str, parts), "--rows", str(whole)])
    assert result.exit_code == 0, result.output
    assert f"{2 * len(rows)} requests of 2 workers are in {whole}" in result.output
    assert len(read_rows(whole)) == 2 * len(rows)


def test_files_that_cannot_be_merged_are_bad_input(tmp_path: Path) -> None:
    path = store_rows(tmp_path / "rows.worker-0.csv.gz", synthetic_rows())
    occupied = tmp_path / "occupied"
    occupied.write_text("no folder")
    for words, told in (
        ([str(path), "missing.csv.gz"], "missing.csv.gz cannot be read"),
        ([str(path), str(path)], "is of the same worker as"),
        ([], "Missing argument"),
        ([str(path), "--rows", str(occupied / "rows.csv.gz")], "occupied cannot be used (File exists)"),
    ):
        result = CliRunner().invoke(app, ["merge", *words])
        assert result.exit_code == 2, result.output
        assert told in " ".join(result.output.replace("│", " ").split())
