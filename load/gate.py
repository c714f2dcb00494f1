"""The gate: rows and a policy in, a verdict out. Pure, so that any stored run can be judged again."""

from dataclasses import replace

from load.errors import error_classes, errors
from load.latency import latencies
from load.parity import parity
from load.rows import Rows
from load.settings import GatePolicy
from load.validity import MENDED_BY_MORE, validity
from load.verdict import Criterion, Layer, Look, Outcome, Verdict, must_hold

__all__ = ["Criterion", "Layer", "Outcome", "Verdict", "decides", "judge", "look"]

SEVERITY = (Outcome.INVALID, Outcome.FAIL, Outcome.INCONCLUSIVE)
FAULTS = {Layer.ERRORS: "fails too often", Layer.PARITY: "answers otherwise"}


def judge(rows: Rows, policy: GatePolicy) -> Verdict:
    """Judge a run at each of its looks until one decides.

    PASS only where every criterion is shown to be met; without live the absolute ones alone decide. A run that was
    ended at a look is judged there, as often as it is judged: nobody knows what a later look would have said. One that
    was cut or broken off is judged once, as a whole: what it has left may lack what was slow.
    """
    complete = rows.end is not None and not rows.end.broken_off
    judged_s = rows.end.judged_s if rows.end else rows.plan.duration_s
    earlier_s = [each for each in policy.looks_of(rows.plan.duration_s) if each < judged_s] if complete else []
    taken: list[Look] = []
    for look_s in (*earlier_s, judged_s):
        verdict = look(rows, policy, look_s, over=True)
        taken.append(Look(look_s, verdict.outcome, verdict.sentence))
        if decides(verdict):
            break
    return replace(verdict, looks=tuple(taken))


def decides(verdict: Verdict) -> bool:
    """Tell whether a look ends the run: with PASS or FAIL, or INVALID for a reason that more rows do not mend."""
    if verdict.outcome is Outcome.INVALID:
        return any(each.result is Outcome.INVALID and each.name not in MENDED_BY_MORE for each in verdict.criteria)
    return verdict.outcome is not Outcome.INCONCLUSIVE


def look(rows: Rows, policy: GatePolicy, judged_s: float, *, over: bool = False) -> Verdict:
    """Judge what was sent in the first `judged_s` judged seconds; unless the run is `over`, it may still go on."""
    seen = rows.until(judged_s)
    confidence = confidence_of(policy, rows.plan.duration_s)
    found = validity(seen, policy, judged_s, confidence, over=over)
    parity_found = None
    # Bounds of a worthless measurement would look like knowledge.
    if all(criterion.result is Outcome.PASS for criterion in found):
        parity_found, of_parity = parity(seen, policy, confidence)
        shown = (*errors(seen, policy, confidence), *of_parity, *latencies(seen, policy, judged_s, confidence))
        found += shown or (nothing_to_judge_by(rows),)
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


def nothing_to_judge_by(rows: Rows) -> Criterion:
    """Refuse to let a candidate pass for want of any limit."""
    others = "" if rows.plan.live is not None else ", or needs a live to compare with"
    return must_hold("limits to judge by", 0, ">=", 1, f'0 limits could be applied: each is "off"{others}')


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
    return f"{verdict.candidate} meets all {len(verdict.criteria)} criteria{failed}."
