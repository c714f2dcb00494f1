from collections.abc import Iterator
from dataclasses import dataclass

import joblib
import pytest

from deployment.image import build_bundle
from fuzz.checks import Predict
from tests.lib.model_artefacts import write_artefacts
from tests.lib.service_process import RunningService, started_service

# Short, so that the tests of slow clients are not.
DEADLINE_MS = 1000


@dataclass(frozen=True)
class Target:
    """The service as processes, and the model's own predict()."""

    service: RunningService
    predict: Predict

    @property
    def port(self) -> int:
        return self.service.port


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Yield a running service; it must be the same process at the end."""
    folder = tmp_path_factory.mktemp("hostile")
    model_dir = write_artefacts(folder / "model")
    digest = build_bundle(model_dir=model_dir, bundles_dir=folder / "bundles", name="test").partition("sha256:")[2]
    bundle = folder / "bundles" / digest
    with started_service(bundle, folder / "log", REQUEST_DEADLINE_MS=str(DEADLINE_MS)) as service:
        service.wait_until_ready()
        engine = service.probed()
        yield Target(service, joblib.load(model_dir / "model.joblib").predict)
        assert service.probed() == engine, service.log
        assert "Traceback" not in service.log
