"""How a release was decided, in plain words."""

from load.report_data import ReleaseReport
from load.report_wording import candidate_of, judged_s_of, live_of
from load.rows import Rows
from load.verdict import Verdict


def method_of(report: ReleaseReport) -> tuple[str, ...]:
    """Return the paragraphs, shortest path to what somebody who doubts the verdict wants to know."""
    if report.rows is None:
        golden = (
            " Golden requests come first: their right answers were stored when the model was trained, and a candidate "
            "that answers differently is refused before it is asked anything else."
        )
        return (f"No load was measured.{golden if any(check.mismatch for check in report.smoke) else ''}",)
    alone = report.measured_alone
    paragraphs = [asked(report, report.rows, alone=alone), decided(alone=alone)]
    if report.verdict is not None and len(report.verdict.looks) > 1:
        paragraphs.append(looked(report.verdict))
    return tuple(paragraphs)


def asked(report: ReleaseReport, rows: Rows, *, alone: bool) -> str:
    plan, candidate = rows.plan, candidate_of(report)
    live = live_of(report) or plan.live
    whom = (
        f"There was nothing to compare with, so {candidate} was asked alone"
        if alone
        else f"The same requests went to {live} and {candidate} at the same moments, in random order"
    )
    rising = f" to {plan.end_rate_pairs_per_s:g}" if plan.end_rate_pairs_per_s else ""
    warmup = f" after {plan.warmup_s:g} s of warm-up, which are not judged" if plan.warmup_s else ""
    return (
        f"{whom}, {plan.rate_pairs_per_s:g}{rising} times a second on average; {judged_s_of(report):g} s of it are "
        f"judged{warmup}. Each was sent when it was due, whether or not earlier ones had been answered, and each "
        "latency counts from then: a server that stalls is charged for all whom it keeps waiting. A failed request has "
        "no latency and is counted as a failure; one that timed out is both."
    )


def decided(*, alone: bool) -> str:
    return (
        f"The bounds of a latency come from drawing whole stretches of time again and again"
        f"{'' if alone else ', the same for both'}. A limit is met where the bounds show it, broken where they show "
        "that, and otherwise the answer is that it cannot be told; of a p99, whose bounds take thousands of requests, "
        "less has to be shown, and what has no bounds is decided by its value. A release passes only if every limit is "
        "met."
    )


def looked(verdict: Verdict) -> str:
    told = ", ".join(f"after {each.judged_s:g} s {each.outcome}" for each in verdict.looks)
    return (
        f"The rows were looked at more than once: {told}. The first look that decides ends the load, and the bounds of "
        "each are wider for that, so that all of them together err no more often than one would."
    )
