import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from load import cli_calibrate
from load.__main__ import app
from load.measure import LoadError
from load.real_servers import KNOWN, LIVE, MEDIAN_MS, PROMISED_OF_REAL, Measured, measure_known, serving
from load.settings import GatePolicy, LoadSettings
from load.simulation import Truth
from load.verdict import Outcome, Verdict

pytestmark = pytest.mark.unit

SETTINGS = LoadSettings(rate_pairs_per_s=60, warmup_s=1, duration_s=5, timeout_s=5)
# A machine that runs other tests beside this one is late with everything, for both deployments alike.
POLICY = GatePolicy(
    looks_s=(), block_s=0.5, min_samples=200, max_error_ratio=0.05, max_error_increase=0.05, max_lag_p99_ms=500
)


def measured(name: str) -> Measured:
    (found,) = measure_known([truth for truth in KNOWN if truth.name == name], SETTINGS, POLICY, sigma=0.1)
    return found


def test_of_two_real_servers_that_are_the_same_one_passes_and_of_one_slower_by_half_it_fails() -> None:
    with ThreadPoolExecutor() as pool:
        same, slower = pool.map(measured, ("identical", "+50 %"))
    assert same.right, same.verdict.sentence
    assert slower.right, slower.verdict.sentence
    assert "candidate is too slow: p95 " in slower.verdict.sentence


def test_each_truth_that_is_shown_has_a_verdict_that_it_should_have() -> None:
    assert {truth.name for truth in KNOWN} == set(PROMISED_OF_REAL)


def ask(uri: str, deployment: str) -> tuple[float, str | None]:
    address, _, path = uri.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address)
    begun_s = time.perf_counter()
    connection.request("POST", f"/{path}", b"{}", {"azureml-model-deployment": deployment})
    with connection.getresponse() as response:
        assert response.read() == b"[0.5]"
    took_ms = (time.perf_counter() - begun_s) * 1000
    connection.close()
    return took_ms, response.headers["azureml-model-deployment"]


def test_a_server_takes_as_long_as_it_is_told_to_and_says_who_it_is() -> None:
    with serving(Truth("five times as long", factor=5.0), sigma=0.0) as uri:
        live = [ask(uri, LIVE) for _ in range(3)]
        candidate = [ask(uri, "candidate") for _ in range(3)]
    assert {name for _, name in live} == {LIVE}
    assert min(took_ms for took_ms, _ in live) >= MEDIAN_MS
    assert min(took_ms for took_ms, _ in candidate) >= 5 * MEDIAN_MS


def known(name: str, outcome: Outcome) -> Measured:
    truth = next(truth for truth in KNOWN if truth.name == name)
    return Measured(truth, Verdict(outcome, f"why it is {outcome}.", (), LIVE, "candidate"))


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.FAIL, 0), (Outcome.PASS, 1), (Outcome.INVALID, 1)])
def test_real_servers_judged_otherwise_than_they_should_are_an_exit_code(
    outcome: Outcome, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        cli_calibrate, "measure_known", lambda: [known("identical", Outcome.PASS), known("+50 %", outcome)]
    )
    result = CliRunner().invoke(app, ["calibrate", "--real", "--reports", str(tmp_path)])
    assert result.exit_code == code, result.output
    assert f"{2 - code} of 2 real servers of known slowness were judged right." in result.output
    assert f'"value": {2 - code}' in (tmp_path / "calibrate-real.json").read_text()


def test_a_load_that_breaks_off_ends_the_command_with_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> list[Measured]:
        raise LoadError("load: Locust ended with code 1")

    monkeypatch.setattr(cli_calibrate, "measure_known", broken)
    result = CliRunner().invoke(app, ["calibrate", "--real", "--reports", str(tmp_path)])
    assert result.exit_code == 12
    assert "Locust ended with code 1" in result.output
