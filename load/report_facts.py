"""The facts of a release's environment: what the release says of it, and what its rows say of the load generator."""

from load.intervals import quantile
from load.report_data import ReleaseReport
from load.rows import DROPPED, Rows
from load.wording import number, percent


def facts_of(report: ReleaseReport) -> dict[str, str]:
    """Return labels and values in their order; what the release says itself stays as it says it."""
    measured = generator_facts(report.rows) if report.rows is not None else {}
    return {**report.facts, **{label: value for label, value in measured.items() if label not in report.facts}}


def generator_facts(rows: Rows) -> dict[str, str]:
    """Return whether the load generator kept up, of all that it sent after the warm-up."""
    dropped, judged = rows.error == DROPPED, ~rows.warmup
    lag_ms, scheduled = rows.lag_ms[judged & ~dropped], int(judged.sum())
    facts = {}
    if rows.plan.generator:
        facts["load generator"] = rows.plan.generator
    if rows.end is not None:
        facts["generator CPU"] = f"{percent(rows.end.cpu_ratio)} of a core"
    if len(lag_ms):
        lag_p99 = number(quantile(lag_ms, 0.99), "ms")
        facts["generator lag"] = f"99 % of the requests left within {lag_p99} of their time"
    if scheduled:
        facts["requests not sent"] = f"{int((judged & dropped).sum())} of {scheduled}"
    return facts
