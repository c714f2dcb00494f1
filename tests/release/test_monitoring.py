"""A Prometheus of this machine sees what the emulator's clients get, and how each instance behind it fares."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from deployment.image import build_bundle
from deployment.outcomes import BadInputError
from deployment.prometheus import MONITORING, RATE, require_program, running_prometheus
from deployment.scoring import ScoringClient
from tests.lib.emulator import RunningEmulator, running_emulator, wait_until
from tests.lib.model_artefacts import rows, write_artefacts
from tests.lib.monitoring_programs import put_on_path
from tests.lib.site import ask_endpoint

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        put_on_path(tmp_path_factory.mktemp("programs"), patch)
        yield


@dataclass(frozen=True)
class Serving:
    """An emulator with one deployment, which has all the traffic."""

    emulator: RunningEmulator

    def score(self, *bodies: object) -> list[int]:
        """Ask once for each body and answer the statuses."""
        with ScoringClient(ask(self.emulator, "GET")["properties"]["scoringUri"], key_of(self.emulator)) as client:
            return [client.score(body).status for body in bodies]

    def figures(self) -> dict[tuple[str, ...], float]:
        """Answer what the data plane has counted, by name and labels."""
        text = httpx.get(f"{self.emulator.data_url}/_emulator/prometheus/metrics").raise_for_status().text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def targets(self) -> list[dict[str, dict[str, str]]]:
        return list(httpx.get(f"{self.emulator.data_url}/_emulator/prometheus/targets").raise_for_status().json())


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("monitoring")
    with running_emulator(folder) as emulator:
        image = build_bundle(
            model_dir=write_artefacts(folder / "model"), bundles_dir=emulator.bundles_dir, name="diabetes"
        )
        deploy(emulator, image)
        yield Serving(emulator)


def ask(emulator: RunningEmulator, method: str, path: str = "", document: object = None) -> dict[str, dict[str, str]]:
    return ask_endpoint(emulator, "diabetes", method, path, document)  # type: ignore[arg-type]  # it is a document


def key_of(emulator: RunningEmulator) -> str:
    return str(ask(emulator, "POST", "/listKeys", {})["primaryKey"])


def deploy(emulator: RunningEmulator, image: str) -> None:
    """Make an endpoint with a deployment that has all the traffic."""
    route = {"path": "/", "port": 8003}
    routes = {f"{each}Route": route for each in ("liveness", "readiness")}
    scoring = {"scoringRoute": {"path": "/score", "port": 8003}}
    body = {"properties": {"image": image, "inferenceConfig": {**routes, **scoring}}}
    version = ask(emulator, "PUT", "/../../environments/e/versions/1", body)["id"]
    ask(emulator, "PUT", "", {"properties": {"authMode": "Key"}})
    wait_until(lambda: is_there(emulator, ""), 30)
    properties = {"environmentId": version, "instanceType": "Standard_DS2_v2"}
    ask(emulator, "PUT", "/deployments/blue", {"properties": properties, "sku": {"name": "Default", "capacity": 1}})
    wait_until(lambda: is_there(emulator, "/deployments/blue"), 60)
    ask(emulator, "PUT", "", {"properties": {"authMode": "Key", "traffic": {"blue": 100}}})
    wait_until(lambda: bool(ask(emulator, "GET")["properties"]["traffic"]), 30)


def is_there(emulator: RunningEmulator, path: str) -> bool:
    return ask(emulator, "GET", path)["properties"]["provisioningState"] == "Succeeded"


def test_the_targets_are_the_emulator_and_each_instances_metrics_port(serving: Serving) -> None:
    assert serving.score(rows(1)) == [200]
    own, blue = serving.targets()
    assert own["labels"] == {"job": "emulator", "__metrics_path__": "/_emulator/prometheus/metrics"}
    assert [f"http://{each}" for each in own["targets"]] == [serving.emulator.data_url]
    assert blue["labels"] == {"endpoint": "diabetes", "deployment": "blue"}
    (address,) = blue["targets"]
    shown = httpx.get(f"http://{address}/metrics").raise_for_status().text
    assert 'scoring_requests_total{route="/score",status="200"}' in shown


def test_the_data_planes_figures_are_by_endpoint_deployment_and_status(serving: Serving) -> None:
    before = serving.figures()
    assert serving.score(*[rows(1)] * 20, {"data": []}) == [*[200] * 20, 424]
    after = serving.figures()

    def grown(*name_and_labels: str) -> float:
        return after[name_and_labels] - before.get(name_and_labels, 0.0)

    assert grown("emulator_requests_total", "diabetes", "blue", "200") == 20
    assert grown("emulator_requests_total", "diabetes", "blue", "424") == 1
    assert grown("emulator_request_duration_seconds_count", "diabetes", "blue") == 21
    assert grown("emulator_request_duration_seconds_bucket", "diabetes", "blue", "+Inf") == 21
    assert grown("emulator_request_duration_seconds_sum", "diabetes", "blue") > 0
    assert after["emulator_traffic_percent", "diabetes", "blue"] == 100


@pytest.mark.usefixtures("programs")
def test_a_prometheus_beside_it_shows_each_deployments_share_rate_and_percentile(
    serving: Serving, tmp_path: Path
) -> None:
    scoring_uri, key = ask(serving.emulator, "GET")["properties"]["scoringUri"], key_of(serving.emulator)
    with (
        running_prometheus(serving.emulator.variables, tmp_path) as running,
        ScoringClient(scoring_uri, key) as client,
    ):
        assert httpx.get(f"{running.url}/api/v1/rules").json()["data"]["groups"][0]["name"] == "scoring"

        def has_seen_requests() -> bool:
            client.score(rows(1))
            return any(running.series(RATE.format(step=5), time(), 5).get("blue", {}).values())

        wait_until(has_seen_requests, 30, tmp_path / "prometheus.log")
        console = Console(record=True, width=120)
        console.print(running.summary())
        assert "blue: share, requests/s, p95" in console.export_text(clear=False)
        assert "100 %" in console.export_text()
        of_blue = {"query": 'scoring_model_info{deployment="blue"}'}
        found = httpx.get(f"{running.url}/api/v1/query", params=of_blue).json()["data"]["result"]
        assert found[0]["metric"]["name"] == "diabetes"


def test_where_there_is_no_such_program_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BadInputError, match="apt-get install --no-install-recommends prometheus") as raised:
        require_program()
    assert raised.value.exit_code == 2


@pytest.mark.usefixtures("programs")
def test_promtool_takes_the_shipped_configuration_and_rules() -> None:
    for arguments in (("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml")):
        done = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


OF_BLUE = 'endpoint="diabetes", deployment="blue"'
# Of an hour and a half: a service that fails, is slow, refuses, and is asked for what training never saw.
SERIES = {
    f'up{{job="scoring", {OF_BLUE}, instance="one"}}': "1x60 0x30",
    f'scoring_requests_total{{route="/score", status="200", {OF_BLUE}}}': "0+95x90",
    f'scoring_requests_total{{route="/score", status="503", {OF_BLUE}}}': "0+5x90",
    f'scoring_request_duration_seconds_bucket{{le="0.1", {OF_BLUE}}}': "0+90x90",
    f'scoring_request_duration_seconds_bucket{{le="0.5", {OF_BLUE}}}': "0+100x90",
    f'scoring_request_duration_seconds_bucket{{le="+Inf", {OF_BLUE}}}': "0+100x90",
    f'scoring_refusals_total{{code="overloaded", {OF_BLUE}}}': "0+5x90",
    f'scoring_values_outside_training_range_total{{feature="bmi", {OF_BLUE}}}': "0+10x180",
    f'scoring_values_outside_training_range_total{{feature="age", {OF_BLUE}}}': "0+1x180",
    f"scoring_batch_rows_sum{{{OF_BLUE}}}": "0+100x180",
}
# When each rule fires, with which further labels, and what it says.
FIRING = {
    "ScoringDown": (
        "65m",
        {"job": "scoring", "instance": "one", "severity": "critical"},
        "diabetes/blue at one does not answer",
    ),
    "ScoringErrors": ("30m", {"severity": "critical"}, "blue answers 5% of its requests with 503"),
    "ScoringSlow": ("30m", {"severity": "warning"}, "blue: 95 of 100 requests take up to 300ms"),
    "ScoringOverloaded": (
        "30m",
        {"severity": "warning"},
        "blue refuses 5 requests a minute for lack of time or room",
    ),
    "ValuesOutsideTraining": (
        "130m",
        {"feature": "bmi", "severity": "warning"},
        "blue: 10% of the values of bmi are beyond those of training",
    ),
}


@pytest.mark.usefixtures("programs")
def test_each_rule_fires_for_what_it_is_there_for_and_for_nothing_else(tmp_path: Path) -> None:
    shutil.copyfile(MONITORING / "alerts.yml", tmp_path / "alerts.yml")
    shown = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    assert {rule["alert"] for group in shown["groups"] for rule in group["rules"]} == set(FIRING)

    def firing(labels: dict[str, str], summary: str) -> dict[str, dict[str, str]]:
        of_blue = {"endpoint": "diabetes", "deployment": "blue"}
        return {"exp_labels": {**of_blue, **labels}, "exp_annotations": {"summary": summary}}

    cases = [{"eval_time": "3m", "alertname": name, "exp_alerts": []} for name in FIRING] + [
        {"eval_time": at, "alertname": name, "exp_alerts": [firing(labels, summary)]}
        for name, (at, labels, summary) in FIRING.items()
    ]
    tests = {
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in SERIES.items()],
                "alert_rule_test": cases,
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
