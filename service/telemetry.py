"""azmlinfsrv without its Application Insights client where that is off: importing it takes longer than all the rest."""

import sys
from collections.abc import Mapping
from types import ModuleType

CLIENT_MODULE = "azureml_inference_server_http.server.appinsights_client"


class NoTelemetry:
    """What azmlinfsrv calls of its AppInsightsClient, which does as little where telemetry is off."""

    enabled = False

    def close(self) -> None:
        """Close nothing."""

    def log_request(self, *_: object, **__: object) -> None:
        """Send nothing."""

    def send_model_data_log(self, *_: object, **__: object) -> None:
        """Send nothing."""

    def send_exception_log(self, *_: object, **__: object) -> None:
        """Send nothing."""

    def wait_for_upload(self) -> None:
        """Wait for nothing."""


def leave_out_telemetry(environ: Mapping[str, str]) -> bool:
    """Put NoTelemetry in the client's place, and say so, unless AML_APP_INSIGHTS_ENABLED is on; before azmlinfsrv."""
    if environ.get("AML_APP_INSIGHTS_ENABLED", "").lower() == "true":
        return False
    module = ModuleType(CLIENT_MODULE)
    module.AppInsightsClient = NoTelemetry  # type: ignore[attr-defined]  # that is what the module has
    sys.modules[CLIENT_MODULE] = module
    return True
