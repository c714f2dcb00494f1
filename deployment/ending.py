"""How a release ended, told with what to do next."""

from collections.abc import Mapping
from contextlib import suppress

from deployment.container_log import parse_log, reason_of_end
from deployment.evidence import Evidence
from deployment.outcomes import Breach, Outcome, PlatformError
from deployment.platform import MODEL_VERSION_TAG, Container, Endpoint, Platform
from deployment.record import Record
from deployment.release import Release
from load.gate import judge
from load.report_data import ContainerLog
from load.rows_file import read_rows
from load.settings import GatePolicy
from load.verdict import Outcome as GateOutcome
from load.verdict import Verdict

LOG_LINES = 100

AFTER_VERDICT: Mapping[GateOutcome, tuple[Outcome, str]] = {
    GateOutcome.FAIL: (
        Outcome.REFUSED_BY_GATE,
        "Mend what the failed criteria show, then release again.",
    ),
    GateOutcome.INCONCLUSIVE: (
        Outcome.INCONCLUSIVE,
        "Measure longer (duration_s) or faster (rate_pairs_per_s), then release again.",
    ),
    GateOutcome.INVALID: (
        Outcome.INVALID,
        "Mend what made the measurement invalid, then release again.",
    ),
}


def refused_by_gate(verdict: Verdict) -> Breach:
    """Return the breach that a verdict other than PASS is."""
    outcome, next_action = AFTER_VERDICT[verdict.outcome]
    return Breach(outcome, verdict.sentence, next_action)


def failed_to_start(candidate: str, evidence: Evidence, logs: tuple[ContainerLog, ...], error: PlatformError) -> Breach:
    """Return the breach of a candidate that did not become ready, with what its container says of that."""
    reasons = (reason_of_end(log.lines) for log in logs)
    reason = next((found for found in reasons if found), None)
    where = f"The containers' last lines are in {evidence.folder} and in the report." if logs else ""
    told = f" The platform said: {error}" if reason else ""
    return Breach(
        Outcome.NOT_PROVISIONED,
        f"{candidate} did not become ready: {reason or error}",
        f"{where}{told}".strip(),
    )


def keep_logs(platform: Platform, deployment: str, evidence: Evidence) -> tuple[ContainerLog, ...]:
    """Store the platform's events and both containers' last lines; what the platform does not give is left out."""
    with suppress(OSError):
        evidence.folder.mkdir(parents=True, exist_ok=True)
    logs = []
    for container in Container:
        try:
            content = platform.logs(deployment, container, lines=LOG_LINES)
        except PlatformError as error:
            content = f"no logs: {error}\n"
        with suppress(OSError):
            evidence.log_path(deployment, container).write_text(content, encoding="utf-8")
        logs.append(parse_log(container, content))
    return tuple(logs)


def success(release: Release, record: Record, verdict: Verdict | None) -> tuple[str, str]:
    """Say that the candidate was promoted, and how to go back."""
    judged = f" {verdict.sentence}" if verdict else ""
    if not record.live:
        return (
            f"{record.candidate} is the first release, with nothing to compare it with, and has all traffic.{judged}",
            "Nothing to do. The next release will be compared with this one.",
        )
    if record.in_flight:
        return (
            f"{record.candidate} has 100 % of the traffic.{judged}",
            "The endpoint's tags could not be brought up to date; `python -m deployment resume` does that.",
        )
    if not record.kept:
        return f"{record.candidate} has 100 % of the traffic.{judged}", "Nothing to do. The way back is closed."
    way_back = f"`python -m deployment rollback --to {record.live} --model-dir {release.model.folder}`"
    until = f" until {record.kept_until:%Y-%m-%d %H:%M} UTC" if record.kept_until else ""
    return (
        f"{record.candidate} has 100 % of the traffic.{judged}",
        f"Nothing to do. {record.live} stays warm at 0 %{until}: {way_back} goes back to it, `finish` ends that.",
    )


def facts_of(endpoint: Endpoint, live: str | None, candidate: str) -> dict[str, str]:
    """Return what the report says of the deployments as they are: how large, and which model is live."""
    found = {name: endpoint.deployments[name] for name in (live, candidate) if name and name in endpoint.deployments}
    sizes = {name: f"{each.instance_type} x {each.instance_count}" for name, each in found.items()}
    facts = {"size": ", ".join(f"{name} {size}" for name, size in sizes.items())} if sizes else {}
    if live and live in found:
        facts["live model"] = found[live].tags.get(MODEL_VERSION_TAG, "unknown")
    return facts


def verdict_of(evidence: Evidence, policy: GatePolicy) -> Verdict | None:
    """Return what the gate says of the stored rows; None where there are none."""
    return judge(read_rows(evidence.rows_path), policy) if evidence.rows_path.exists() else None
