from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deployment.emulator.processes import free_loopback_ports
from service.engine.api_engine import create_app
from service.engine.metrics import PENDING_BATCHES, PENDING_OBSERVATIONS, Unwatched
from service.settings import EngineSettings
from tests.lib.asgi_client import AsgiClient, asgi_client
from tests.lib.model_artefacts import ROW, rows, write_artefacts

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def metrics_port() -> int:
    (port,) = free_loopback_ports(1)
    return port


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, metrics_port: int) -> Iterator[AsgiClient]:
    folder = write_artefacts(tmp_path_factory.mktemp("model"), version="7")
    settings = EngineSettings(folder / "model.joblib", release_id="release-3", metrics_port=metrics_port)
    with asgi_client(create_app(settings)) as started:
        yield started


def scraped(port: int) -> dict[tuple[str, str], float]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").raise_for_status().text
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status_and_refusals_by_code(client: AsgiClient, metrics_port: int) -> None:
    before = scraped(metrics_port)
    client.post("/score", json=rows(3))
    client.post("/predict", json=rows(1))
    client.post("/score", content=b"{", headers={"content-type": "application/json"})
    client.get("/some/path")
    client.get("/another")
    after = scraped(metrics_port)

    def grown(name: str, labels: str = "") -> float:
        return after.get((name, labels), 0.0) - before.get((name, labels), 0.0)

    assert grown("scoring_requests_total", "/score,200") == 1
    assert grown("scoring_requests_total", "/score,400") == 1
    assert grown("scoring_requests_total", "/predict,200") == 1
    assert grown("scoring_requests_total", "other,404") == 2
    assert grown("scoring_refusals_total", "malformed_json") == 1
    assert grown("scoring_batch_rows_sum") == 4
    assert grown("scoring_predict_duration_seconds_count") == 2
    assert grown("scoring_request_duration_seconds_count") == 5


def test_values_that_training_never_saw_are_counted_by_feature(client: AsgiClient, metrics_port: int) -> None:
    name = "scoring_values_outside_training_range_total"
    before = scraped(metrics_port).get((name, "bmi"), 0.0)
    strange = [*ROW[:2], 1000.0, *ROW[3:]]
    assert client.post("/score", json={"data": [strange, ROW, strange]}).status_code == 200
    after = scraped(metrics_port)
    assert after[name, "bmi"] - before == 2
    assert after[name, "age"] == 0


@pytest.mark.parametrize("rows", [1, 7, 600, 5000])
def test_rows_wait_to_be_looked_at_in_bounded_number_and_each_is_looked_at_once(rows: int) -> None:
    looked_at = [np.empty((0, 2))]
    unwatched = Unwatched(looked_at.append)
    batches = [np.full((rows, 2), number, dtype=np.float64) for number in range(2 * PENDING_BATCHES + 1)]
    for number, batch in enumerate(batches, start=1):
        unwatched.add(batch)
        waiting_rows = number * rows - sum(map(len, looked_at))
        assert waiting_rows < min(PENDING_OBSERVATIONS, PENDING_BATCHES * rows)
    unwatched.count()
    unwatched.count()
    assert np.array_equal(np.concatenate(looked_at), np.concatenate(batches))


def test_they_say_what_answers_and_what_the_process_takes(client: AsgiClient, metrics_port: int) -> None:
    assert client.get("/").status_code == 200
    metrics = scraped(metrics_port)
    assert metrics["scoring_model_info", "diabetes,release-3,7"] == 1
    assert metrics["process_resident_memory_bytes", ""] > 0
    assert metrics["scoring_queue_requests", ""] == 0


def test_they_are_not_on_the_scoring_port(client: AsgiClient) -> None:
    assert client.get("/metrics").status_code == 404
