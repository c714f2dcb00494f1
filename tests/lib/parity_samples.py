"""Runs of which only the answers matter."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from load.parity import parity
from load.rows import Row, Rows, RunEnd, RunPlan, make_rows
from load.settings import GatePolicy
from load.verdict import Criterion, Parity

NAN, INFINITE = float("nan"), float("inf")
FORM, ALIKE = "answers of another form than live's", "payloads answered unlike live"
LABELS, PSI, KS = "labels unlike live's", "stability of the predictions", "distance of the predictions"
UNREADABLE = object()

Bodies = Sequence[Any]


def answered(
    live: Mapping[str, Bodies],
    candidate: Mapping[str, Bodies],
    models: tuple[str, str] = ("1", "1"),
    live_name: str | None = "blue",
) -> Rows:
    """Return a run in which each payload was answered with these bodies, one after the other."""
    answers: dict[str, Any] = {}
    rows = []
    for role, model, said in (("live", models[0], live), ("candidate", models[1], candidate)):
        for payload, bodies in said.items():
            for body in bodies:
                name = f"{role}: cannot be read" if body is UNREADABLE else json.dumps(body)
                answers[name] = None if body is UNREADABLE else body
                rows.append(Row(0, role, 1.0, 0.0, 20.0, 0, 200, "", role, model, payload, name, 0.0, ""))
    plan = RunPlan("2026-11-23T03:42:10+00:00", live_name, "green", 10.0, 0.0, 30.0, 10.0, 100, 1)
    return make_rows(plan, RunEnd(len(rows), 30.0, 30.0, 0.05), rows, answers)


def once(body: Any) -> dict[str, Bodies]:
    """Return one payload that was answered once."""
    return {"golden-00": [body]}


def each(bodies: Sequence[Any]) -> dict[str, Bodies]:
    """Return as many payloads, each answered once."""
    return {f"line-{number}": [body] for number, body in enumerate(bodies)}


def compared(rows: Rows, **limits: Any) -> tuple[Parity, dict[str, Criterion]]:
    """Return what parity finds of a run, and its criteria by name."""
    found, criteria = parity(rows, GatePolicy(**limits), 0.95)
    assert found is not None
    return found, {criterion.name: criterion for criterion in criteria}
