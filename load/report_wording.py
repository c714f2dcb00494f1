"""What both reports say in the same words."""

import re
from datetime import UTC, datetime

from load.report_data import PastRelease, ReleaseReport
from load.verdict import Layer, Outcome, Verdict

MOST_PAST_RELEASES = 10
DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
COMMIT = re.compile(r"([0-9a-f]{12})[0-9a-f]{28,52}")
SIGNS = {"good": "✅", "bad": "⛔", "unsure": "⚠️"}


def tone(report: ReleaseReport) -> str:
    """Return `good`, `bad` for what was shown to be bad, or `unsure` where nothing was shown."""
    if report.good:
        return "good"
    outcome = report.verdict.outcome if report.verdict else Outcome.FAIL
    return "unsure" if outcome in {Outcome.INCONCLUSIVE, Outcome.INVALID} else "bad"


def live_of(report: ReleaseReport) -> str | None:
    """Return the name of the deployment that had the traffic; None where nobody had."""
    return report.live or (report.verdict.live if report.verdict else None)


def candidate_of(report: ReleaseReport) -> str:
    """Return the name of the deployment that is to have the traffic."""
    return report.candidate or (report.verdict.candidate if report.verdict else "the candidate")


def alone_sentence(report: ReleaseReport) -> str | None:
    """Say that nothing was compared; None where something was, or where nothing was measured."""
    if not report.measured_alone:
        return None
    criteria = report.verdict.criteria if report.verdict else ()
    decided = any(each.layer is not Layer.VALIDITY for each in criteria)
    return (
        f"There was nothing to compare {candidate_of(report)} with: "
        f"absolute limits alone {'decided' if decided else 'would have decided'}."
    )


def parity_sentence(verdict: Verdict) -> str:
    """Say how many payloads were answered as live answers them; empty where nothing was compared."""
    found = verdict.parity
    if found is None:
        return ""
    if not found.unlike:
        return f"All {found.compared} payloads were answered as live answers them"
    were = "was" if found.unlike == 1 else "were"
    models = "though both name one model version" if found.same_model else "as another model version may"
    return f"{found.unlike} of {found.compared} payloads {were} answered unlike live, {models}"


def parity_facts(verdict: Verdict) -> dict[str, str]:
    """Return what else is known of the answers; what was not computed is said to be so."""
    found = verdict.parity
    if found is None:
        return {}
    facts = {
        "predictions compared": str(found.values),
        "live gives one answer to each payload": "yes" if found.steady else "no, so unlike answers decide nothing",
    }
    if found.mean_shift is not None:
        facts["shift of the mean"] = f"{found.mean_shift:+.4g}"
    if found.ks_distance is not None:
        facts["Kolmogorov-Smirnov distance"] = f"{found.ks_distance:.3f}"
    if found.psi is not None:
        facts["population stability index"] = f"{found.psi:.3f}"
    else:
        facts["distributions"] = "not compared: the predictions are too few, or labels"
    return facts


def past_releases(report: ReleaseReport) -> list[PastRelease]:
    """Return the latest of the releases before this one, newest first."""
    newest_first = sorted(report.history, key=lambda each: each.finished_at.astimezone(UTC), reverse=True)
    return newest_first[:MOST_PAST_RELEASES]


def short(text: str) -> str:
    """Return an image or a commit with twelve digits of its hash: enough to tell it from any other."""
    return COMMIT.sub(r"\1", text) if COMMIT.fullmatch(text) else DIGEST.sub(r"\1", text)


def day_and_time(at: datetime) -> str:
    """Return the minute in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def in_words(at: datetime) -> str:
    """Return the minute in UTC as a person would write it."""
    in_utc = at.astimezone(UTC)
    return f"{in_utc.day} {in_utc:%B %Y, %H:%M} UTC"


def judged_s_of(report: ReleaseReport) -> float:
    """Return how many seconds after the warm-up are judged; what was sent later is in the rows, and in no number."""
    if report.verdict is not None:
        return report.verdict.judged_s
    if report.rows is None:
        return 0.0
    return report.rows.end.judged_s if report.rows.end is not None else report.rows.plan.duration_s
