"""Synthetic load: rows as a run would have stored them, and reports made of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from load.gate import Outcome, judge
from load.report import ContainerLog, JournalEntry, LogEvent, PastRelease, ReleaseReport, SmokeCheck
from load.rows import Row, Rows, RunEnd, RunPlan, make_rows
from load.settings import GatePolicy

LIVE, CANDIDATE = "blue", "green"
POLICY = GatePolicy(
    min_samples=300, block_s=2, ignore_below_ms=5, slo_p95_ms=200, slo_p99_ms=400, max_error_increase=0.03
)
STARTED = datetime(2026, 11, 23, 3, 42, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Answers:
    """How one synthetic deployment answers: median and spread (sigma of its logarithm), and what goes wrong."""

    median_ms: float = 20.0
    sigma: float = 0.3
    error_ratio: float = 0.0
    error: str = "http_424"
    status: int = 424
    answered_by: str | None = None
    lag_ms: float = 0.6


def synthetic_rows(
    candidate: Answers | None = None,
    live: Answers | None = None,
    *,
    alone: bool = False,
    rate: float = 20.0,
    duration_s: float = 30.0,
    warmup_s: float = 5.0,
    seed: int = 7,
    end: bool = True,
    cpu_ratio: float = 0.05,
) -> Rows:
    """Return the rows of a run in which the two answered so (both alike by default), after a slower warm-up."""
    random = np.random.default_rng(seed)
    plan = RunPlan(
        STARTED.isoformat(),
        None if alone else LIVE,
        CANDIDATE,
        rate,
        warmup_s,
        duration_s,
        timeout_s=10,
        max_in_flight=100,
        seed=seed,
    )
    arrivals = np.sort(random.uniform(0, warmup_s + duration_s, int(rate * (warmup_s + duration_s))))
    roles = (
        {"candidate": candidate or Answers()}
        if alone
        else {"live": live or Answers(), "candidate": candidate or Answers()}
    )
    rows = [
        synthetic_row(random, pair, role, answers, float(due_s), warmup_s)
        for pair, due_s in enumerate(arrivals)
        for role, answers in roles.items()
    ]
    return make_rows(plan, RunEnd(len(arrivals), warmup_s + duration_s, duration_s, cpu_ratio) if end else None, rows)


def synthetic_row(
    random: np.random.Generator, pair: int, role: str, answers: Answers, due_s: float, warmup_s: float
) -> Row:
    service_ms = (
        answers.median_ms * float(np.exp(random.normal(0, answers.sigma))) * (2.5 if due_s < warmup_s / 3 else 1)
    )
    failed = bool(random.uniform() < answers.error_ratio)
    return Row(
        pair=pair,
        role=role,
        intended_s=due_s,
        lag_ms=answers.lag_ms,
        service_ms=service_ms,
        warmup=int(due_s < warmup_s),
        status=answers.status if failed else 200,
        error=answers.error if failed else "",
        answered_by=answers.answered_by
        if answers.answered_by is not None
        else {"live": LIVE, "candidate": CANDIDATE}[role],
        model={"live": "1", "candidate": "2"}[role],
        payload=f"golden-{pair % 8:02}",
        answer="",
        throttled_ms=0.0,
        request_id=f"request-{pair}" if failed else "",
    )


FACTS = {
    "endpoint": "diabetes-endpoint",
    "image": "diabetes@sha256:3f7a9c20b4d1e65f8890aa17c2be43d5f60718293a4b5c6d7e8f90123456789a",
    "model": "diabetes 2 (live: 1)",
    "git commit": "83a99bd",
    "runtime": "containers (Docker Engine 28.3)",
    "background client": "1284 requests, 0 failed",
    "SDK": "azure-ai-ml 1.35.2",
    "load generator": "Locust 2.47.0, 5 % of a core, 99 % sent within 0.6 ms of their time",
}


def journal(*events: tuple[float, str, str, Mapping[str, int], bool | None]) -> tuple[JournalEntry, ...]:
    """Return entries from (seconds after the start, phase, event, traffic, verified)."""
    return tuple(JournalEntry(STARTED + timedelta(seconds=at), *rest) for at, *rest in events)  # type: ignore[arg-type]


REFUSED_JOURNAL = journal(
    (0, "observed", "blue serves; the candidate will be green", {"blue": 100}, None),
    (9, "deployed", "green is ready at 0 % with model 2", {"blue": 100}, None),
    (10, "smoked", "green answered 8 golden requests right", {"blue": 100}, None),
    (46, "measured", "700 pairs of requests in 35 s", {"blue": 100}, None),
    (47, "refused", "verdict FAIL", {"blue": 100}, None),
)
PROMOTED_JOURNAL = (
    *REFUSED_JOURNAL[:-1],
    *journal(
        (47, "passed", "gate: PASS", {"blue": 100}, None),
        (50, "shifting", "first step", {"blue": 90, "green": 10}, True),
        (62, "shifting", "split verified, no breach", {"blue": 50, "green": 50}, True),
        (74, "promoted", "100 % verified", {"green": 100}, True),
        (80, "promoted", "background client: 1284 requests, 0 failed", {"green": 100}, None),
    ),
)


def smoke_checks(*, wrong: int = 0) -> tuple[SmokeCheck, ...]:
    """Return eight golden requests, the first `wrong` of them answered wrongly."""
    return tuple(
        SmokeCheck(
            f"golden-{index:02}",
            "[152.134, 97.4021]",
            "[157.134, 102.402]" if index < wrong else "[152.134, 97.4021]",
            "157.134 instead of 152.134 in row 0" if index < wrong else None,
        )
        for index in range(8)
    )


def report_of(rows: Rows, policy: GatePolicy = POLICY) -> ReleaseReport:
    """Return the report of a release that the gate let pass, or did not."""
    verdict = judge(rows, policy)
    good = verdict.outcome is Outcome.PASS
    words = {
        Outcome.PASS: "Promoted",
        Outcome.FAIL: "Refused",
        Outcome.INCONCLUSIVE: "Inconclusive",
        Outcome.INVALID: "Invalid",
    }
    return ReleaseReport(
        outcome=words[verdict.outcome],
        good=good,
        sentence=f"green has 100 % of the traffic. {verdict.sentence}" if good else verdict.sentence,
        next_action="Nothing to do. blue stays deployed at 0 %; `python -m deployment rollback --to blue` goes back."
        if good
        else "Live keeps all traffic. Mend what the failed criteria show, then release again.",
        endpoint="diabetes-endpoint",
        live=rows.plan.live,
        candidate=rows.plan.candidate,
        finished_at=STARTED + timedelta(seconds=81),
        verdict=verdict,
        rows=rows,
        smoke=smoke_checks(),
        journal=PROMOTED_JOURNAL if good else REFUSED_JOURNAL,
        facts=FACTS,
        replay_command="python -m load gate reports/rows.csv.gz deployment/release.toml --profile demo",
    )


def wrong_report() -> ReleaseReport:
    """Return the report of a release that its golden requests ended before the load."""
    return replace(
        report_of(synthetic_rows()),
        outcome="Refused",
        good=False,
        sentence="green answered 8 of 8 golden requests wrongly: golden-00 got 157.134 instead of 152.134 in row 0.",
        next_action="Compare the model that was deployed with the one that its golden requests were made with.",
        verdict=None,
        rows=None,
        smoke=smoke_checks(wrong=8),
        journal=REFUSED_JOURNAL[:2],
        replay_command=None,
    )


FIRST_JOURNAL = journal(
    (0, "observed", "nobody serves yet: a first release; the candidate will be green", {}, None),
    (9, "deployed", "green is ready at 0 % with model 1", {}, None),
    (10, "smoked", "green answered 8 golden requests right", {}, None),
    (46, "measured", "700 requests in 35 s", {}, None),
)


def first_release_report(candidate: Answers | None = None, *, end: bool = True) -> ReleaseReport:
    """Return the report of a release to an endpoint on which nobody served, measured alone."""
    report = report_of(synthetic_rows(candidate, alone=True, end=end))
    promoted = journal(
        (47, "passed", "gate: PASS", {}, None),
        (58, "promoted", "100 % verified", {"green": 100}, True),
        (80, "promoted", "background client: 220 requests, 0 failed", {"green": 100}, None),
    )
    refused = journal((47, "refused", "no verdict PASS", {}, None))
    return replace(
        report,
        next_action="Nothing to do. The next release will be compared with this one."
        if report.good
        else "Nobody serves. Mend what the failed criteria show, then release again.",
        journal=(*FIRST_JOURNAL, *(promoted if report.good else refused)),
        facts=FACTS | {"model": "diabetes 1"},
    )


REASON = "golden_requests.json: the model answers golden-00 with 157.134 instead of 152.134 in row 0"
START_STATUS = (
    ("SystemSetup", "Succeeded"),
    ("UserContainerImagePull", "Succeeded"),
    ("ModelDownload", "Succeeded"),
    ("UserContainerStart", "Failed"),
)


def event(second: int, name: str, kind: str, message: str) -> LogEvent:
    """Return an event of the platform, so many seconds into the minute."""
    return LogEvent(f"2026-11-23T03:42:{second:02}.250000Z", name, kind, message)


START_EVENTS = (
    event(11, "Pulling", "Normal", 'Pulling image "diabetes@sha256:3f7a9c20b4d1"'),
    event(14, "Pulled", "Normal", 'Successfully pulled image "diabetes@sha256:3f7a9c20b4d1"'),
    event(15, "Created", "Normal", "Created container inference-server"),
    event(15, "Started", "Normal", "Started container inference-server"),
    event(17, "ReadinessProbeFailed", "Warning", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
    event(27, "ReadinessProbeFailed", "Warning", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
    event(31, "BackOff", "Warning", "Back-off restarting failed container inference-server (exit code 3)"),
)


def log_line(level: str, message: str) -> str:
    """Return a line as the service logs it."""
    return json.dumps({"time": "2026-11-23T03:42:30.120+00:00", "level": level, "pid": 7, "message": message})


def start_logs(lines: int = 60) -> tuple[ContainerLog, ...]:
    """Return the logs of a deployment whose model fails its golden requests, so many lines of its server."""
    output = [log_line("info", f"reading part {number} of the model") for number in range(lines - 1)]
    return (
        ContainerLog(
            "storage-initializer", START_STATUS, START_EVENTS, "Found the model\nCopied 3 files, 1.2 MB, in 0.4 s\n"
        ),
        ContainerLog(
            "inference-server", START_STATUS, START_EVENTS, "\n".join([*output, log_line("critical", REASON)]) + "\n"
        ),
    )


def unstarted_report(logs: tuple[ContainerLog, ...] | None = None) -> ReleaseReport:
    """Return the report of a release whose candidate did not become ready."""
    return replace(
        wrong_report(),
        outcome="Not provisioned",
        sentence=f"green did not become ready: {REASON}",
        next_action="Live keeps its traffic. Mend what the container's last lines name, then release again.",
        smoke=(),
        logs=start_logs() if logs is None else logs,
    )


def past_releases(count: int = 12) -> tuple[PastRelease, ...]:
    """Return as many releases, each a day before the one after it, the oldest first."""
    return tuple(
        PastRelease(
            release_id=f"release-{number:02}",
            outcome="refused by the gate" if number % 3 == 0 else "promoted",
            finished_at=STARTED - timedelta(days=count - number),
            deployment="green" if number % 2 else "blue",
            model_version=str(number),
            image=f"registry.azurecr.io/diabetes@sha256:{f'{number:02}' * 32}",
            commit=f"{number:02}83a99bd" * 4 + "beef",
        )
        for number in range(count)
    )
