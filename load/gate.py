"""The gate: rows and a policy in, a verdict out. Pure, so that any stored run can be judged again."""

from dataclasses import replace

from load.errors import error_classes, errors
from load.latency import latencies
from load.parity import parity
from load.rows import Rows
from load.settings import GatePolicy
from load.validity import validity
from load.verdict import Criterion, Layer, Look, Outcome, Verdict
from load.wording import percent

__all__ = ["Criterion", "Layer", "Outcome", "Verdict", "judge", "look"]

SEVERITY = (Outcome.INVALID, Outcome.FAIL, Outcome.INCONCLUSIVE)
FAULTS = {Layer.ERRORS: "fails too often", Layer.PARITY: "answers otherwise"}


def judge(rows: Rows, policy: GatePolicy) -> Verdict:
    """Judge a run at each of its looks until one decides.

    PASS only where every criterion is shown to be met; without live the absolute ones alone decide. A run that was
    ended at a look is judged there, as often as it is judged: nobody knows what a later look would have said.
    """
    all_looks_s = policy.looks_of(rows.plan.duration_s)
    judged_s = rows.end.judged_s if rows.end else rows.plan.duration_s
    taken: list[Look] = []
    for look_s in (each for each in all_looks_s if each < judged_s):
        verdict = look(rows, policy, look_s)
        taken.append(Look(look_s, verdict.outcome, verdict.sentence))
        if verdict.outcome in {Outcome.PASS, Outcome.FAIL}:
            return replace(verdict, looks=tuple(taken))
    verdict = look(rows, policy, judged_s, last=True)
    return replace(verdict, looks=(*taken, Look(judged_s, verdict.outcome, verdict.sentence)))


def look(rows: Rows, policy: GatePolicy, judged_s: float, *, last: bool = False) -> Verdict:
    """Judge what was sent in the first `judged_s` judged seconds; before the `last` look the run may still go on."""
    seen = rows.until(judged_s)
    confidence = confidence_of(policy, rows.plan.duration_s)
    found = validity(seen, policy, judged_s, last=last)
    parity_found = None
    # Bounds of a worthless measurement would look like knowledge.
    if all(criterion.result is Outcome.PASS for criterion in found):
        parity_found, of_parity = parity(seen, policy, confidence)
        found += (*errors(seen, policy, confidence), *of_parity, *latencies(seen, policy, judged_s, confidence))
    outcome = next((bad for bad in SEVERITY if any(each.result is bad for each in found)), Outcome.PASS)
    verdict = Verdict(
        outcome,
        "",
        found,
        rows.plan.live,
        rows.plan.candidate,
        judged_s=judged_s,
        errors=error_classes(seen),
        parity=parity_found,
    )
    return replace(verdict, sentence=sentence(verdict))


def confidence_of(policy: GatePolicy, duration_s: float) -> float:
    """Return the confidence of one look's bounds, so that all looks together keep to the policy's (Bonferroni)."""
    return 1 - (1 - policy.confidence) / len(policy.looks_of(duration_s))


def sentence(verdict: Verdict) -> str:
    """Say why the outcome is what it is, with both numbers."""
    who = verdict.candidate
    worst = [criterion for criterion in verdict.criteria if criterion.result is verdict.outcome]
    more = f"; {len(worst) - 1} more below" if len(worst) > 1 else ""
    match verdict.outcome:
        case Outcome.PASS:
            return praise(verdict)
        case Outcome.INVALID:
            return f"Nothing was judged: {worst[0].reason}{more}."
        case Outcome.INCONCLUSIVE:
            return f"It cannot be told whether {who} is good enough: {worst[0].reason}{more}."
        case Outcome.FAIL:
            return f"{who} {FAULTS.get(worst[0].layer, 'is too slow')}: {worst[0].reason}{more}."


def praise(verdict: Verdict) -> str:
    """Say what a candidate that passes has shown, by the first of the criteria that speak of it."""
    by_name = {criterion.name: criterion for criterion in verdict.criteria}
    failures = by_name.get("error ratio") or by_name.get("answered share of the load")
    failed = f", and {failures.reason.partition(',')[0].partition(' (')[0]}" if failures else ""
    beside = by_name.get("p95 beside live") or by_name.get("p50 beside live")
    if beside is not None:
        name, live_ms = beside.name.partition(" ")[0], beside.live or 0
        return (
            f"{verdict.candidate} is as good as {verdict.live}: {name} {beside.candidate:.0f} ms vs {live_ms:.0f} ms "
            f"(up to {live_ms + beside.limit:.0f} ms is allowed){failed}."
        )
    within = next((each for each in verdict.criteria if each.layer is Layer.ABSOLUTE), None)
    if within is not None:
        return f"{verdict.candidate} keeps its SLO: {within.reason}{failed}."
    answered = next((each.measured for each in verdict.criteria if each.layer is Layer.ERRORS), None)
    told = f" ({percent(answered)})" if answered is not None and not failures else ""
    return f"{verdict.candidate} meets all {len(verdict.criteria)} criteria{told}{failed}."
