"""One deployment measured alone, as a release would: nothing of the endpoint is changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deployment.evidence import Evidence
from deployment.load_testing import LoadTest, as_release, choose
from deployment.outcomes import BadInputError, Outcome, PlatformError
from deployment.phases import Phase
from deployment.platform import MODEL_VERSION_TAG, Endpoint
from deployment.record import utc_now
from deployment.release import Result
from deployment.releasing import Paths, write_reports
from load.measure import LoadError
from tests.lib.load_samples import Answers
from tests.lib.release_fakes import FakePlatform, colour, make_journal, make_record
from tests.unit.deployment.scene import BLUE_LIVE, SETTINGS, Measured, a_deployment, a_release, an_endpoint, with_record

pytestmark = pytest.mark.unit

MODEL = a_release().model
SLOW = Answers(median_ms=900)
FAILING = Answers(error_ratio=0.3)


def an_endpoint_of_two() -> Endpoint:
    both = (a_deployment("blue", release_id="r-1"), a_deployment("green"))
    return an_endpoint(BLUE_LIVE, *both)


def load_test(
    platform: FakePlatform, folder: Path, name: str = "", measure: Callable[..., Any] | None = None
) -> Result:
    endpoint = platform.there()
    tested = choose(endpoint, name, MODEL, utc_now())
    journal = make_journal(folder, Phase.OBSERVED, {})
    return LoadTest(platform, SETTINGS, MODEL, journal, Evidence(folder), measure or Measured()).run(endpoint, tested)


@pytest.mark.parametrize(("name", "tested"), [("", "blue"), ("green", "green"), ("blue", "blue")])
def test_the_one_that_serves_or_the_one_that_is_named_is_measured_alone(name: str, tested: str, tmp_path: Path) -> None:
    measured, platform = Measured(), FakePlatform(an_endpoint_of_two())
    result = load_test(platform, tmp_path, name, measured)
    assert [(plan.live, plan.candidate) for plan in measured.plans] == [(None, tested)]
    assert (result.outcome, result.live, result.candidate) == (Outcome.PASSED, None, tested)
    assert result.outcome.exit_code == 0
    assert f"{tested} keeps its SLO" in result.sentence


def test_nothing_of_the_endpoint_is_changed(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint_of_two())
    left = platform.there()
    load_test(platform, tmp_path)
    assert platform.there() is left


@pytest.mark.parametrize(
    ("answers", "outcome", "exit_code"),
    [
        (SLOW, Outcome.REFUSED_BY_GATE, 10),
        (FAILING, Outcome.REFUSED_BY_GATE, 10),
        (Answers(answered_by="somebody"), Outcome.INVALID, 12),
    ],
    ids=["slow", "failing", "answered by another"],
)
def test_the_gate_judges_as_it_judges_a_release(
    answers: Answers, outcome: Outcome, exit_code: int, tmp_path: Path
) -> None:
    result = load_test(FakePlatform(an_endpoint_of_two()), tmp_path, measure=Measured(answers))
    assert (result.outcome, result.outcome.exit_code) == (outcome, exit_code)
    assert "release" not in result.next_action.replace("release.toml", "")


def test_a_load_that_breaks_off_says_nothing_about_the_deployment(tmp_path: Path) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise LoadError("load: Locust ended with code 3")

    result = load_test(FakePlatform(an_endpoint_of_two()), tmp_path, measure=broken)
    assert (result.outcome, result.verdict, result.rows_path) == (Outcome.INVALID, None, None)
    assert result.sentence == "The load test broke off: load: Locust ended with code 3"


def test_it_leaves_the_report_that_a_release_leaves(tmp_path: Path) -> None:
    platform, folder = FakePlatform(an_endpoint_of_two()), tmp_path / "load-test-1"
    result = load_test(platform, folder)
    release = as_release("load-test-1", platform.there().deployments["blue"], MODEL, "https://ci.test/9")
    write_reports(result, release, Paths(reports_dir=tmp_path), {})
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "PASSED" in report.splitlines()[0]
    assert "a load test of one deployment; nothing was changed" in report
    assert f"python -m load gate {folder}/rows.csv.gz" in report
    assert "b" * 12 in report


def test_a_deployment_of_somebody_elses_is_measured_and_called_unknown(tmp_path: Path) -> None:
    platform = FakePlatform(an_endpoint(BLUE_LIVE, colour("blue")))
    assert load_test(platform, tmp_path).outcome is Outcome.PASSED
    assert as_release("x", colour("blue"), MODEL, "").image == "unknown"


@pytest.mark.parametrize(
    ("name", "endpoint", "told"),
    [
        ("red", an_endpoint_of_two(), "has no deployment 'red'; its deployments are: blue, green"),
        ("", replace(an_endpoint_of_two(), traffic={}), "no traffic, so none serves; name one with --deployment"),
        ("", an_endpoint({}), "its deployments are: blue"),
    ],
    ids=["unknown", "no traffic", "nobody serves"],
)
def test_what_cannot_be_measured_is_refused_with_what_can(name: str, endpoint: Endpoint, told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        choose(endpoint, name, MODEL, utc_now())


def test_a_deployment_that_is_not_ready_is_not_measured() -> None:
    endpoint = an_endpoint(BLUE_LIVE, colour("blue", "Failed"))
    with pytest.raises(PlatformError, match="blue is Failed where Succeeded is needed"):
        choose(endpoint, "", MODEL, utc_now())


def test_requests_of_another_model_are_refused() -> None:
    blue = replace(colour("blue"), tags={MODEL_VERSION_TAG: "1"})
    with pytest.raises(BadInputError, match="--model-dir: it has model 2 where blue has model 1"):
        choose(an_endpoint(BLUE_LIVE, blue), "", MODEL, utc_now())


@pytest.mark.parametrize("phase", [Phase.OBSERVED, Phase.SHIFTING, Phase.ROLLING_BACK, Phase.FROZEN])
def test_what_a_release_measures_is_not_disturbed(phase: Phase) -> None:
    record = make_record(phase)
    endpoint = with_record(an_endpoint_of_two(), record)
    with pytest.raises(BadInputError, match=rf"release r-2 is under way on endpoint fake \({phase}, held by ci #1\)"):
        choose(endpoint, "", MODEL, utc_now())
    assert choose(endpoint, "", MODEL, record.leased_until + timedelta(seconds=1)).name == "blue"


@pytest.mark.parametrize("phase", [Phase.PASSED, Phase.PROMOTED, Phase.REFUSED])
def test_a_candidate_that_waits_for_a_person_may_be_measured_again(phase: Phase) -> None:
    endpoint = with_record(an_endpoint_of_two(), make_record(phase))
    assert choose(endpoint, "green", MODEL, utc_now()).name == "green"
