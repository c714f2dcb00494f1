"""A data plane over a backend of fakes and a container that answers what it is told."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from deployment.emulator.data_plane import DataPlane
from deployment.emulator.exchange import Request
from deployment.emulator.mirroring import Mirroring
from deployment.emulator.traffic_log import TrafficLog
from deployment.emulator.upstream import ContainerAnswer, Upstream
from tests.lib.emulator_fakes import Bench

JSON_HEADER = (b"content-type", b"application/json")


@dataclass
class FakeUpstream:
    """A container that answers what it is told, or raises."""

    answer: ContainerAnswer = field(
        default_factory=lambda: ContainerAnswer(200, [JSON_HEADER, (b"x-model-version", b"7")], b"[1.0]", 0.0)
    )
    fault: Exception | None = None
    by_port: dict[int, ContainerAnswer | Exception] = field(default_factory=dict)
    seen: list[tuple[Request, int, bytes, Mapping[str, str], float]] = field(default_factory=list)

    async def call(
        self, request: Request, host_port: int, target: bytes, extra: Mapping[str, str], timeout_s: float
    ) -> ContainerAnswer:
        self.seen.append((request, host_port, target, extra, timeout_s))
        result = self.by_port.get(host_port, self.fault or self.answer)
        if isinstance(result, Exception):
            raise result
        return result


@dataclass(frozen=True)
class Effect:
    """What a fault does to a request."""

    delay_ms: float = 0.0
    status: int | None = None


@dataclass
class PlannedFaults:
    """Faults by deployment."""

    effects: dict[str, Effect] = field(default_factory=dict)

    def for_request(self, endpoint: str, deployment: str) -> Effect | None:
        assert endpoint == "diabetes"
        return self.effects.get(deployment)


@dataclass
class Reply:
    """What a client got."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value.decode() for each, value in self.headers if each == name.encode()]
        assert len(found) < 2, f"{name} twice"
        return found[0] if found else None


class Plane:
    """A data plane over a backend of fakes, with blue at 90 % and green at 10 %."""

    def __init__(self, folder: Path, traffic: dict[str, int] | None = None) -> None:
        self.bench = Bench()
        self.upstream = FakeUpstream()
        self.log_path = folder / "traffic.jsonl"
        self.log = TrafficLog(self.log_path, "local", "ws", "id")
        self.traffic = {"blue": 90, "green": 10} if traffic is None else traffic
        rng = random.Random(3)  # noqa: S311 - it splits traffic, it keeps no secret
        upstream = cast("Upstream", self.upstream)
        self.mirroring = Mirroring(self.bench.colours, upstream, self.log, random.Random(4))  # noqa: S311 - as above
        self.faults = PlannedFaults()
        self.app = DataPlane(
            self.bench.store,
            self.bench.colours,
            upstream,
            self.log,
            rng,
            self.mirroring,
            self.faults,
            self.bench.tokens,
        )

    async def __aenter__(self) -> Self:
        await self.bench.with_colours(blue=0, green=0)
        await self.bench.set_traffic(**self.traffic)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.mirroring.close()
        self.log.close()
        await self.bench.close()

    async def send(self, path: str = "/endpoints/diabetes/score", *, key: str | None = None, **headers: str) -> Reply:
        given = self.bench.endpoints.keys("diabetes").primary if key is None else key
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        if given:
            pairs.append((b"authorization", f"Bearer {given}".encode()))
        raw_path, _, query = path.encode().partition(b"?")
        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": raw_path,
            "query_string": query,
            "http_version": "1.1",
            "headers": pairs,
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"data": []}'}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return Reply(sent[0]["status"], sent[0]["headers"], sent[1]["body"])

    def logged(self) -> list[dict[str, Any]]:
        self.log.flush()
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]
