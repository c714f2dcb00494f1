"""What the environment says, read once in each process and passed on typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 8003
DEFAULT_HOST = "127.0.0.1"
APP_ROOT = Path(__file__).resolve().parent.parent
BAKED_MODEL_DIR = APP_ROOT / "model"


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
            port=_port(environ.get("API_SERVER_PORT", str(DEFAULT_PORT))),
            model_dir=Path(environ.get("AZUREML_MODEL_DIR") or BAKED_MODEL_DIR),
        )


@dataclass(frozen=True)
class EngineSettings:
    """What the FastAPI app needs.

    `release_id` goes out with each answer; `parent_pid` is the process to end with. Either may be None.
    """

    model_path: Path
    release_id: str | None = None
    parent_pid: int | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "EngineSettings":
        """Raise SettingsError where AZUREML_MODEL_PATH is not set."""
        model_path = environ.get("AZUREML_MODEL_PATH")
        if not model_path:
            raise SettingsError("AZUREML_MODEL_PATH: not set; score.init() sets it before it starts the server")
        parent_pid = environ.get("API_SERVER_PARENT_PID")
        return cls(
            model_path=Path(model_path),
            release_id=environ.get("RELEASE_ID") or None,
            parent_pid=int(parent_pid) if parent_pid else None,
        )


def _port(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 65535:  # noqa: PLR2004 - the range of ports
        raise SettingsError(f"API_SERVER_PORT: not a port ({value!r} vs 1 to 65535); correct or unset it")
    return int(value)
