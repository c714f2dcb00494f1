from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no type information

from service.settings import EngineSettings, ServiceSettings, SettingsError

pytestmark = pytest.mark.unit

MODEL = {"AZUREML_MODEL_PATH": "model/model.joblib"}


def test_what_is_not_said_has_a_default() -> None:
    settings = EngineSettings.from_environ(MODEL)
    assert settings == EngineSettings(Path("model/model.joblib"))
    assert (settings.deadline_s, settings.queue_limit_requests, settings.metrics_port) == (4.5, 64, None)


def test_the_deadline_is_below_the_time_that_the_endpoint_gives_a_request() -> None:
    deployment = yaml.safe_load((Path(__file__).parents[3] / "deployment" / "deployment.yml").read_text())
    settings = EngineSettings.from_environ({**MODEL, **deployment.get("environment_variables", {})})
    assert settings.deadline_s * 1000 < deployment["request_settings"]["request_timeout_ms"]


def test_everything_can_be_said() -> None:
    settings = EngineSettings.from_environ(
        {
            **MODEL,
            "RELEASE_ID": "r-1",
            "API_SERVER_HOST": "127.0.0.2",
            "METRICS_PORT": "8004",
            "REQUEST_DEADLINE_MS": "250",
            "QUEUE_LIMIT_REQUESTS": "7",
            "EXACT_PREDICTORS": "off",
            "PREDICT_THREADS": "3",
        }
    )
    assert settings == EngineSettings(
        Path("model/model.joblib"),
        release_id="r-1",
        host="127.0.0.2",
        metrics_port=8004,
        deadline_s=0.25,
        queue_limit_requests=7,
        exact_predictors=False,
        predict_threads=3,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METRICS_PORT", "0"),
        ("METRICS_PORT", "70000"),
        ("REQUEST_DEADLINE_MS", "4.5"),
        ("QUEUE_LIMIT_REQUESTS", "-1"),
        ("QUEUE_LIMIT_REQUESTS", "\u0661"),
        ("EXACT_PREDICTORS", "yes"),
        ("PREDICT_THREADS", "0"),
        ("RELEASE_ID", "two words"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_name_and_itself(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refusal:
        EngineSettings.from_environ({**MODEL, name: value})
    assert repr(value) in str(refusal.value)


def test_a_port_that_is_none_is_refused_before_anything_starts() -> None:
    with pytest.raises(SettingsError, match=r"API_SERVER_PORT: not a whole number in range \('x' vs 1 to 65535\)"):
        ServiceSettings.from_environ({"API_SERVER_PORT": "x"})
