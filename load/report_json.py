"""The report for machines: the same facts as one JSON document, whose schema is docs/report.schema.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from load.report_data import JournalEntry, PastRelease, ReleaseReport, SmokeCheck
from load.report_wording import writable
from load.verdict import Verdict

SCHEMA = 1


@dataclass(frozen=True)
class Document:
    """A release as ReleaseReport has it, without its rows and logs, which are files of their own."""

    schema: int
    outcome: str
    good: bool
    sentence: str
    next_action: str
    endpoint: str
    finished_at: datetime
    live: str | None
    candidate: str | None
    verdict: Verdict | None
    smoke: tuple[SmokeCheck, ...]
    journal: tuple[JournalEntry, ...]
    facts: Mapping[str, str]
    history: tuple[PastRelease, ...]
    replay_command: str | None


ADAPTER = TypeAdapter(Document)


def render_json(report: ReleaseReport) -> str:
    """Return the document."""
    taken = {field.name: getattr(report, field.name) for field in fields(Document) if field.name != "schema"}
    return writable(ADAPTER.dump_json(Document(SCHEMA, **taken), indent=1).decode()) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the document's JSON Schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ADAPTER.json_schema(mode="serialization")}


def render_json_schema() -> str:
    """Return the JSON Schema as the file that is checked in."""
    return json.dumps(json_schema(), indent=1) + "\n"
