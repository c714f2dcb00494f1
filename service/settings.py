"""What the environment says, read once in each process and passed on typed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

DEFAULT_PORT = 8003
DEFAULT_HOST = "127.0.0.1"
DEFAULT_DEADLINE_MS = 4500
DEFAULT_QUEUE_LIMIT_REQUESTS = 64
PORTS = range(1, 65536)
DEADLINES_MS = range(1, 300_001)
QUEUE_LIMITS = range(1, 100_001)
THREADS = range(1, 257)
RELEASE_ID = re.compile(r"[\x21-\x7e]{1,100}")
CONNECTION_STRING = "APPLICATIONINSIGHTS_CONNECTION_STRING"
INSTRUMENTATION_KEY = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Without TLS on this machine alone.
INGESTION_ENDPOINT = re.compile(r"https://[^\s/]\S*|http://(127\.0\.0\.1|localhost)(:\d+)?/?")
APP_ROOT = Path(__file__).resolve().parent.parent
BAKED_MODEL_DIR = APP_ROOT / "model"
Number = TypeVar("Number", int, None)


class SettingsError(Exception):
    """An environment variable has a value that the service cannot start with."""


@dataclass(frozen=True)
class ServiceSettings:
    """What score.init() needs.

    `model_dir` is where the platform put the model, else the folder baked into the image.
    """

    host: str
    port: int
    model_dir: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "ServiceSettings":
        """Raise SettingsError where API_SERVER_PORT is not a port."""
        return cls(
            host=environ.get("API_SERVER_HOST", DEFAULT_HOST),
            port=_whole_number(environ, "API_SERVER_PORT", DEFAULT_PORT, PORTS),
            model_dir=Path(environ.get("AZUREML_MODEL_DIR") or BAKED_MODEL_DIR),
        )


@dataclass(frozen=True)
class EngineSettings:
    """What the FastAPI app needs.

    `release_id` goes out with each answer, `metrics_port` shows what was counted; either may be None. `deadline_s` is
    what a request has from its arrival, below the endpoint's request_timeout_ms; `queue_limit_requests` may wait for a
    model that predicts on a thread, of which there are `predict_threads`. `exact_predictors` allows the direct ways of
    service.engine.exact. `connection_string` is that of Application Insights; None: nothing is sent there.
    """

    model_path: Path
    release_id: str | None = None
    host: str = DEFAULT_HOST
    metrics_port: int | None = None
    deadline_s: float = DEFAULT_DEADLINE_MS / 1000
    queue_limit_requests: int = DEFAULT_QUEUE_LIMIT_REQUESTS
    exact_predictors: bool = True
    predict_threads: int = 1
    connection_string: str | None = field(default=None, repr=False)  # there is a key in it

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "EngineSettings":
        """Raise SettingsError where AZUREML_MODEL_PATH is not set, or a value is not what it must be."""
        model_path = environ.get("AZUREML_MODEL_PATH")
        if not model_path:
            raise SettingsError("AZUREML_MODEL_PATH: not set; score.init() sets it before it starts the server")
        release_id = environ.get("RELEASE_ID") or None
        if release_id and not RELEASE_ID.fullmatch(release_id):
            raise SettingsError(
                f"RELEASE_ID: {release_id!r} cannot go out in a header; use up to 100 visible characters"
            )
        return cls(
            model_path=Path(model_path),
            release_id=release_id,
            host=environ.get("API_SERVER_HOST", DEFAULT_HOST),
            metrics_port=_whole_number(environ, "METRICS_PORT", None, PORTS),
            deadline_s=(_whole_number(environ, "REQUEST_DEADLINE_MS", DEFAULT_DEADLINE_MS, DEADLINES_MS)) / 1000,
            queue_limit_requests=_whole_number(
                environ, "QUEUE_LIMIT_REQUESTS", DEFAULT_QUEUE_LIMIT_REQUESTS, QUEUE_LIMITS
            ),
            predict_threads=_whole_number(environ, "PREDICT_THREADS", 1, THREADS),
            exact_predictors=_switch(environ, "EXACT_PREDICTORS", default=True),
            connection_string=connection_string_from(environ),
        )


def _whole_number(environ: Mapping[str, str], name: str, default: Number, allowed: range) -> int | Number:
    value = environ.get(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or int(value) not in allowed:
        raise SettingsError(
            f"{name}: not a whole number in range ({value!r} vs {allowed.start} to {allowed.stop - 1}); "
            "correct or unset it"
        )
    return int(value)


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name) or ("on" if default else "off")
    if value not in {"on", "off"}:
        raise SettingsError(f"{name}: neither on nor off ({value!r}); correct or unset it")
    return value == "on"


def connection_string_from(environ: Mapping[str, str]) -> str | None:
    """Return Application Insights' connection string, or None; raises SettingsError, which does not quote it."""
    given = environ.get(CONNECTION_STRING, "").strip().rstrip(";")
    if not given:
        return None
    if given.startswith("${{"):
        raise _no_connection_string("it is a reference that the platform has not replaced by the secret")
    pairs = [pair.split("=") for pair in given.split(";")]
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - a pair
        raise _no_connection_string("it is not KEY=VALUE;KEY=VALUE")
    values = {name.strip().lower(): value.strip() for name, value in pairs}
    if not INSTRUMENTATION_KEY.fullmatch(values.get("instrumentationkey", "")):
        raise _no_connection_string("its InstrumentationKey is missing or no UUID")
    if not INGESTION_ENDPOINT.fullmatch(values.get("ingestionendpoint", "https://default")):
        raise _no_connection_string("its IngestionEndpoint is no https:// address")
    return given


def _no_connection_string(why: str) -> SettingsError:
    return SettingsError(
        f"{CONNECTION_STRING}: not a connection string ({why}; the value is not shown, as a key is in it); "
        "copy it from the overview of the Application Insights resource, or unset it"
    )
