"""What a test may ask of a running emulator beyond Azure's own calls: faults, the list of calls, a killed instance."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx
from pydantic import TypeAdapter

from deployment.emulator.calls import Call
from deployment.emulator.entities import Workspace
from deployment.emulator.faults import ControlFault, DataFault, Fault

TIMEOUT_S = 30.0
_FAULT: TypeAdapter[Any] = TypeAdapter(Fault)
_CALLS = TypeAdapter(list[Call])


@dataclass(frozen=True)
class Placed:
    """A fault that was placed, and how many calls it has matched and struck so far."""

    id: int
    fault: ControlFault | DataFault
    matched: int
    struck: int


class EmulatorControl:
    """Speaks to the emulator that these environment variables lead to."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._url = variables["ARM_CLOUD_METADATA_URL"].partition("/metadata/")[0]
        answer = httpx.get(
            variables["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": self._url},
            headers={"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]},
            trust_env=False,
        )
        answer.raise_for_status()
        self._http = httpx.Client(
            base_url=self._url,
            verify=ssl.create_default_context(cafile=variables["REQUESTS_CA_BUNDLE"]),
            headers={"authorization": f"Bearer {answer.json()['access_token']}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def add(self, fault: ControlFault | DataFault) -> Placed:
        """Place a fault."""
        return _placed(self._ask("POST", "faults", json=_FAULT.dump_python(fault, mode="json")))

    def faults(self) -> list[Placed]:
        """Answer all faults that are placed."""
        return [_placed(each) for each in self._ask("GET", "faults")["value"]]

    def clear(self) -> None:
        """Take all faults away."""
        self._ask("DELETE", "faults")

    @contextmanager
    def fault(self, fault: ControlFault | DataFault) -> Iterator[Placed]:
        """Place a fault, and take it away at the end."""
        placed = self.add(fault)
        try:
            yield placed
        finally:
            self._ask("DELETE", f"faults/{placed.id}")

    def calls(self, *, after: int = 0) -> list[Call]:
        """Answer what was called after the call of that number, in order."""
        return _CALLS.validate_python(self._ask("GET", f"calls?after={after}")["value"])

    def forget_calls(self) -> None:
        """Make the list of calls empty."""
        self._ask("DELETE", "calls")

    def call_names(self) -> list[str]:
        """Answer the names of all calls that the emulator answers."""
        return [each["call"] for each in self._ask("GET", "routes")["value"]]

    def kill_instance(self, endpoint: str, deployment: str, instance: int = 0) -> None:
        """End one instance as a crash would."""
        self._ask("POST", "kill", json={"endpoint": endpoint, "deployment": deployment, "instance": instance})

    def arm(self, path: str) -> dict[str, Any]:
        """Answer a resource of the workspace as the control plane has it; empty where it does not exist."""
        answer = self._http.get(f"{Workspace().arm_id}/{path}")
        return {} if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.raise_for_status().json())

    def put_arm(self, path: str, document: Mapping[str, Any]) -> None:
        """Change a resource of the workspace, as somebody beside the releases would."""
        self._http.put(f"{Workspace().arm_id}/{path}", json=document).raise_for_status()

    def key(self, endpoint: str) -> str:
        """Answer an endpoint's key."""
        answer = self._http.post(f"{Workspace().arm_id}/onlineEndpoints/{endpoint}/listKeys")
        return str(answer.raise_for_status().json()["primaryKey"])

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, f"/_emulator/{path}", **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def _placed(document: Any) -> Placed:
    fault = _FAULT.validate_python(document["fault"])
    return Placed(document["id"], fault, document["matched"], document["struck"])
