"""Models that are no regression on an array: started on the emulator as processes, asked, and one of them released."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment.golden import read_artefacts
from deployment.outcomes import Outcome
from deployment.scoring import ScoringClient
from tests.lib.emulator import running_emulator
from tests.lib.own_models import write_example
from tests.lib.site import Site, finish

pytestmark = pytest.mark.release
# A first release has nothing to be compared with: enough requests to be judged, and no more.
BRIEF = """
[profiles.brief.shift]
bake_s = 0
[profiles.brief.load]
rate_pairs_per_s = 40
warmup_s = 0.5
duration_s = 4
timeout_s = 10
[profiles.brief.gate]
slo_p95_ms = 1000
slo_p99_ms = "off"
max_error_ratio = 0.05
looks_s = []
min_samples = 100
block_s = 0.4
max_lag_p99_ms = 500
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An emulator without an endpoint, and a folder for models that a test writes."""
    with running_emulator(tmp_path / "emulator") as emulator:
        yield Site(emulator, tmp_path / "models", tmp_path)


def predict(site: Site, body: Any, deployment: str) -> dict[str, Any]:
    """Ask /predict of a deployment by name."""
    uri = site.resource()["scoringUri"].removesuffix("/score") + "/predict"
    with ScoringClient(uri, site.key()) as client:
        answer = client.score(body, deployment=deployment)
    assert answer.ok, answer
    assert isinstance(answer.body, dict)
    return answer.body


def test_a_class_of_ones_own_travels_in_a_bundle_and_answers_its_golden_requests(site: Site) -> None:
    write_example(site.models / "1", "plain_object", "1")
    begun = site.phase("deploy", "1", "--image", site.image_of("1"))
    assert begun.exit_code == 0, begun.output
    smoked = site.phase("smoke", "1")
    assert smoked.exit_code == 0, smoked.output
    golden = read_artefacts(site.models / "1").golden.requests[-1]
    assert predict(site, golden.body, "blue")["predictions"] == list(golden.predictions)


def test_a_model_of_data_frames_is_released_over_another_one_and_labels_and_gaps_come_through(site: Site) -> None:
    with (site.folder / "release.toml").open("a", encoding="utf-8") as settings:
        settings.write(BRIEF)
    write_example(site.models / "1", "data_frame", "1", rows_share=0.8)
    write_example(site.models / "2", "data_frame", "2")
    first = finish(site.start(site.promotion("1", profile="brief")))
    assert first.exit_code == Outcome.PROMOTED.exit_code, first.output
    second = site.promote("2")
    assert second.exit_code == Outcome.PROMOTED.exit_code, second.output
    assert site.traffic() == {"green": 100}

    told = json.loads((site.report_folder("2") / "report.json").read_text(encoding="utf-8"))
    assert told["verdict"]["outcome"] == "PASS"
    golden = read_artefacts(site.models / "2").golden.requests[-1]
    assert any(None in row for row in golden.body["data"])
    answered = predict(site, golden.body, "green")
    assert answered["predictions"] == list(golden.predictions)
    assert answered["classes"] == ["leaves", "stays"]
    assert [sum(row) for row in answered["probabilities"]] == pytest.approx([1.0] * len(golden.predictions))


def test_a_model_of_other_features_never_has_traffic_and_does_not_stand_in_the_way_back(site: Site) -> None:
    with (site.folder / "release.toml").open("a", encoding="utf-8") as settings:
        settings.write(BRIEF)
    write_example(site.models / "1", "plain_object", "1")
    write_example(site.models / "2", "classifier", "2")
    first = finish(site.start(site.promotion("1", profile="brief")))
    assert first.exit_code == Outcome.PROMOTED.exit_code, first.output
    second = site.promote("2")
    assert second.exit_code == Outcome.INVALID.exit_code, second.output
    assert (
        "blue takes other features than green: it refuses golden-00, which green answers (wrong_shape" in second.output
    )
    assert site.traffic() == {"blue": 100}
    back = site.command("rollback", "--to", "blue", "--model-dir", str(site.models / "2"), *site.settings("quick"))
    assert back.exit_code == 0, back.output
    assert site.traffic() == {"blue": 100}
