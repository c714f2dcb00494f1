"""What the commands that give traffic back find: a release under way or promoted, and a client to ask with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployment import takeback
from deployment.outcomes import Outcome
from deployment.phases import Phase
from deployment.platform import Deployment, Endpoint, Routing, Traffic
from deployment.record import Record, utc_now
from deployment.takeback import TakeBack
from tests.lib.release_fakes import GOLDEN, FakePlatform, FakeScoring, colour, make_journal, make_record
from tests.unit.deployment.scene import GREEN_LIVE, SETTINGS, AroundEachCall, with_record

SPLIT: Traffic = {"blue": 90, "green": 10}


@dataclass
class Scene:
    """An endpoint on which a release was under way, and the client that the command asks with."""

    platform: FakePlatform
    client: FakeScoring
    folder: Path

    def take_back(self, *, golden: bool = True, around: AroundEachCall | None = None) -> TakeBack:
        journal = make_journal(self.folder, Phase.OBSERVED, {})
        return TakeBack(around or self.platform, SETTINGS, GOLDEN if golden else None, journal, "https://ci.test/9")


Arrange = Callable[..., Scene]


def arranging(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """Return what arranges an endpoint, and lets the commands ask it."""

    def make(
        record: Record | None,
        traffic: Traffic,
        *,
        blue: Deployment | None = None,
        client: type = FakeScoring,
        **how: Any,
    ) -> Scene:
        there = {"blue": blue or colour("blue"), "green": colour("green")}
        endpoint = Endpoint("fake", "http://127.0.0.1:9/score", traffic, {}, there)
        platform = FakePlatform(with_record(endpoint, record) if record else endpoint)
        scene = Scene(platform, client(platform, **how), folder)
        monkeypatch.setattr(takeback, "ScoringClient", lambda *_, **__: scene.client)
        return scene

    return make


def under_way(phase: Phase = Phase.SHIFTING, traffic: Traffic = SPLIT) -> Record:
    return make_record(phase, routing=Routing(traffic))


def promoted() -> Record:
    return under_way(traffic=GREEN_LIVE).ended(Phase.PROMOTED, Outcome.PROMOTED, utc_now(), keep_warm_s=3600)
