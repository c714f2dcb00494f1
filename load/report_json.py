"""The report for machines: the same facts as one JSON document, whose schema is docs/report.schema.json.

`python -m load.report_json > docs/report.schema.json` writes the schema anew.
"""

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from load.report_data import ReleaseReport
from load.report_document import Document
from load.report_facts import facts_of
from load.report_wording import live_of


def render_json(report: ReleaseReport) -> str:
    """Return the document."""
    verdict = report.verdict
    said = {name: getattr(report, name) for name in Document.model_fields if hasattr(report, name)}
    added = {
        "facts": facts_of(report),
        "live": live_of(report),
        "candidate": report.candidate or (verdict.candidate if verdict else None),
    }
    return Document.model_validate(said | added).model_dump_json(by_alias=True, indent=1) + "\n"


class Untitled(GenerateJsonSchema):
    """Leaves out the titles, which are the properties' names once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the overridden method's signature
        return False


def json_schema() -> dict[str, Any]:
    """Return the document's JSON Schema."""
    schema = Document.model_json_schema(mode="serialization", schema_generator=Untitled)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def render_json_schema() -> str:
    """Return the JSON Schema as the file that is checked in."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_json_schema())
