"""What both reports say in the same words."""

import re
from datetime import UTC, datetime

from load.report_data import PastRelease, ReleaseReport
from load.verdict import Layer, Verdict

MOST_PAST_RELEASES = 10
DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
COMMIT = re.compile(r"([0-9a-f]{12})[0-9a-f]{28,52}")


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
    models = "the same model version" if found.same_model else "another model version, or one that names none"
    if not found.unlike:
        return f"All {found.compared} payloads were answered as live answers them ({models})"
    return f"{found.unlike} of {found.compared} payloads were answered unlike live ({models})"


def parity_facts(verdict: Verdict) -> dict[str, str]:
    """Return what else is known of the answers; what was not computed is said to be so, with the reason."""
    found = verdict.parity
    if found is None:
        return {}
    few = f"not computed: {found.values} predictions are too few, or labels"
    return {
        "predictions compared": str(found.values),
        "live gives one answer to each payload": "yes" if found.steady else "no, so unlike answers decide nothing",
        "shift of the mean": few if found.mean_shift is None else f"{found.mean_shift:+.4g}",
        "Kolmogorov-Smirnov distance": few if found.ks_distance is None else f"{found.ks_distance:.3f}",
        "population stability index": few if found.psi is None else f"{found.psi:.3f}",
    }


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


def writable(text: str) -> str:
    """Return text that UTF-8 can write: half a character, as a cut log may hold, must not cost the report."""
    return text.encode("utf-8", "replace").decode("utf-8")
