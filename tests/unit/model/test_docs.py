"""The requests and answers of docs/model.md are those of the running service."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.engine.api_engine import create_app
from service.request_body import BodyLimits
from service.settings import EngineSettings
from tests.lib.asgi_client import AsgiClient, asgi_client
from tests.lib.emulator import REPOSITORY
from tests.lib.own_models import KINDS

pytestmark = pytest.mark.unit

TEXT = (REPOSITORY / "docs" / "model.md").read_text(encoding="utf-8")
ASKED = re.findall(
    r"(?s)### ([a-z-]+)\n\n```sh\ncurl -s 127\.0\.0\.1:8003(\S+) [^\n]*-d '([^\n]*)'\n```\n\n```json\n(.*?)\n```", TEXT
)
REFUSED = re.findall(r"\| ([a-z-]+) \| `(\{.*\})` \| `(\w+)` \| `(\S+)` \|", TEXT)


@pytest.fixture(scope="module")
def clients(folders: Mapping[str, Path]) -> Iterator[Mapping[str, AsgiClient]]:
    """A client of each example."""
    with ExitStack() as stack:
        yield {
            kind.replace("_", "-"): stack.enter_context(
                asgi_client(
                    create_app(EngineSettings(model_path=folders[kind] / "model.joblib"), BodyLimits()),
                )
            )
            for kind in KINDS
        }


def test_each_kind_has_a_request_and_an_answer() -> None:
    assert [kind.replace("-", "_") for kind, *_ in ASKED] == list(KINDS)
    assert len(REFUSED) == 6


@pytest.mark.parametrize(("kind", "path", "body", "answer"), ASKED, ids=[each[0] for each in ASKED])
def test_the_documented_request_is_answered_as_documented(
    clients: Mapping[str, AsgiClient], kind: str, path: str, body: str, answer: str
) -> None:
    answered = clients[kind].post(path, content=body, headers={"content-type": "application/json"})
    assert answered.status_code == 200
    found, told = answered.json(), json.loads(answer)
    if isinstance(told, list):
        assert found == pytest.approx(told, rel=5e-3)
        return
    assert list(found) == list(told)
    assert found["model"] == {**told["model"], "version": "7"}
    for key in found.keys() - {"model", "probabilities"}:
        assert found[key] == told[key]
    for row, told_row in zip(found.get("probabilities", []), told.get("probabilities", []), strict=True):
        assert row == pytest.approx(told_row, rel=5e-3)


@pytest.mark.parametrize(("kind", "body", "code", "place"), REFUSED)
def test_what_is_documented_as_refused_is_refused_with_that_code_and_place(
    clients: Mapping[str, AsgiClient], kind: str, body: str, code: str, place: str
) -> None:
    refused = clients[kind].post("/score", content=body, headers={"content-type": "application/json"})
    error: dict[str, Any] = refused.json()["error"]
    assert (refused.status_code, error["code"], error["location"]) == (422, code, place)


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert not [link for link in links if not (REPOSITORY / "docs" / link).exists()]
