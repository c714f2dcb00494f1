"""The traffic log: one JSON line a request, with the column names of Azure Monitor's AmlOnlineEndpointTrafficLog."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from deployment.emulator.exchange import Answer, Request
from deployment.emulator.traffic_metrics import TrafficMetrics

USER_AGENT_LENGTH = 70


@dataclass(frozen=True, slots=True)
class Timing:
    """When an exchange began, had been read and had been answered, on time.perf_counter()."""

    started_s: float
    read_s: float
    ended_s: float


class TrafficLog:
    """Appends to a file; lines are complete and in the file after flush(). What clients got is counted in `metrics`."""

    def __init__(self, path: Path, location: str, workspace_name: str, workspace_id: str) -> None:
        self.metrics = TrafficMetrics()
        self._file: IO[str] = path.open("a", encoding="utf-8")
        self._fixed = {
            "OperationName": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score",
            "Location": location,
            "AzureMLWorkspaceName": workspace_name,
            "AzureMLWorkspaceId": workspace_id,
            "AuthType": "Key",
            "RequestThrottlingDelayMs": 0,
            "ResponseThrottlingDelayMs": 0,
        }

    def write(
        self,
        request: Request,
        answer: Answer,
        timing: Timing,
        *,
        endpoint: str,
        path: bytes,
        ids: tuple[str, str],
        is_mirrored: bool = False,
    ) -> None:
        """Add a line; the path is the container's, ids are x-request-id and x-ms-client-request-id.

        Mirrored is not a column of Azure's: whoever counts what clients got leaves those lines out.
        """
        line = {
            "TimeGenerated": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **self._fixed,
            "Method": request.method,
            "Path": path.decode("latin-1"),
            "EndpointName": endpoint,
            "DeploymentName": answer.deployment,
            "Protocol": request.protocol,
            "ResponseCode": answer.status,
            "ResponseCodeReason": answer.reason,
            "ModelStatusCode": answer.model_status,
            "ModelStatusReason": answer.model_reason,
            "RequestPayloadSize": len(request.body),
            "ResponsePayloadSize": len(answer.body),
            "UserAgent": request.header(b"user-agent")[:USER_AGENT_LENGTH],
            "XRequestId": ids[0],
            "XMSClientRequestId": ids[1],
            "Mirrored": is_mirrored,
            "TotalDurationMs": _ms(timing.ended_s - timing.started_s),
            "RequestDurationMs": _ms(timing.read_s - timing.started_s),
            "ResponseDurationMs": None
            if answer.answered_at_s is None
            else _ms(answer.answered_at_s - timing.started_s),
        }
        if answer.deployment and not is_mirrored:
            self.metrics.note(endpoint, answer.deployment, answer.status, timing.ended_s - timing.started_s)
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Put every line written so far into the file."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
