"""Reports of every kind of release, built where they are first asked for; rows as columns, so that many come fast."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np

from load.report import ContainerLog, JournalEntry, LogEvent, PastRelease, ReleaseReport, SmokeCheck
from load.rows import COLUMNS, Observed, Rows, RunEnd, RunPlan
from tests.lib.load_samples import (
    CANDIDATE,
    LIVE,
    POLICY,
    STARTED,
    Answers,
    first_release_report,
    journal,
    past_releases,
    report_of,
    start_logs,
    synthetic_rows,
    unstarted_report,
    wrong_report,
)

EVIL = '<script>alert("1")</script><img src=x onerror=y> | `rm` [a](http://evil) @team #1 $x$ ~~y~~ -->\n```\n# z\u202e'
Body = Callable[[int], Any]


def many_rows(
    candidate: Answers | None = None,
    live: Answers | None = None,
    *,
    alone: bool = False,
    rate: float = 20.0,
    duration_s: float = 60.0,
    warmup_s: float = 5.0,
    seed: int = 7,
    judged_s: float | None = None,
    broken_off: str = "",
    payloads: int = 8,
    bodies: Mapping[str, Body] | None = None,
    models: tuple[str, str] = ("1", "2"),
) -> Rows:
    """Return the rows of a run that was ended after `judged_s`; `bodies` give each role's answer to each payload."""
    judged_s = duration_s if judged_s is None else judged_s
    random = np.random.default_rng(seed)
    # What is due when a look decides is sent before the load has heard of it.
    total_s = min(warmup_s + duration_s, warmup_s + judged_s + 1)
    due_s = np.sort(random.uniform(0, total_s, int(rate * total_s)))
    arms = {"live": live or Answers(), "candidate": candidate or Answers()}
    if alone:
        del arms["live"]
    parts = [arm(random, role, answers, due_s, warmup_s, payloads, models) for role, answers in arms.items()]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
    order = np.argsort(columns["pair"], kind="stable")
    plan = RunPlan(
        started_at=STARTED.isoformat(),
        live=None if alone else LIVE,
        candidate=CANDIDATE,
        rate_pairs_per_s=rate,
        warmup_s=warmup_s,
        duration_s=duration_s,
        timeout_s=10,
        max_in_flight=100,
        seed=seed,
        generator="Locust 2.47.0",
    )
    end = RunEnd(len(due_s), total_s, judged_s, cpu_ratio=0.052, broken_off=broken_off)
    answers_by_name = {
        f"{role}-{number}": body(number) for role, body in (bodies or {}).items() for number in range(payloads)
    }
    return Rows(
        plan,
        end,
        **{name: column[order] for name, column in columns.items()},
        answers=answers_by_name,
        observed=(Observed(0.1, "blue 100 %"), Observed(total_s, "blue 100 %")) if not alone else (),
    )


def arm(
    random: np.random.Generator,
    role: str,
    answers: Answers,
    due_s: np.typing.NDArray[np.float64],
    warmup_s: float,
    payloads: int,
    models: tuple[str, str],
) -> dict[str, Any]:
    """Return the columns of one deployment's requests."""
    count, index = len(due_s), np.arange(len(due_s))
    failed = random.uniform(size=count) < answers.error_ratio
    slow = np.where(due_s < warmup_s / 3, 2.5, 1.0)
    name = {"live": LIVE, "candidate": CANDIDATE}[role] if answers.answered_by is None else answers.answered_by
    number = index % payloads
    return {
        "pair": index,
        "role": np.full(count, role),
        "intended_s": due_s,
        "lag_ms": random.uniform(0, 2 * answers.lag_ms, count),
        "service_ms": np.round(slow * answers.median_ms * np.exp(random.normal(0, answers.sigma, count)), 3),
        "warmup": due_s < warmup_s,
        "status": np.where(failed, answers.status, 200),
        "error": np.where(failed, answers.error, ""),
        "answered_by": np.full(count, name),
        "model": np.full(count, models[role == "candidate"]),
        "payload": np.array([f"golden-{each:02}" for each in range(payloads)])[number],
        "answer": np.where(failed, "", np.array([f"{role}-{each}" for each in range(payloads)])[number]),
        "throttled_ms": np.zeros(count),
        "request_id": np.where(failed, np.char.add("3f2a9c1e-77b0-4d1c-9a0e-", index.astype(str)), ""),
    }


def numbers(shift: float) -> Body:
    """Return answers with a prediction for each of 200 rows, shifted by so much."""
    return lambda payload: [round(150 + 40 * math.sin(payload * 200 + row) + shift, 6) for row in range(200)]


def labels(flipped: int) -> Body:
    """Return answers with a label for each of 50 rows, of which so many payloads have some other ones."""
    return lambda payload: ["good" if (payload + row) % 3 and payload >= flipped else "bad" for row in range(50)]


ROLLED_BACK_JOURNAL = (
    *journal(
        (0, "observed", "blue serves; the candidate will be green", {"blue": 100}, None),
        (309, "deployed", "green is ready at 0 % with model 2", {"blue": 100}, None),
        (310, "smoked", "green answered 8 golden requests right", {"blue": 100}, None),
        (720, "measured", "3900 pairs of requests in 390 s", {"blue": 100}, None),
        (727, "passed", "gate: PASS", {"blue": 100}, None),
        (735, "shifting", "first step", {"blue": 90, "green": 10}, True),
        (801, "shifting", "split verified, no breach", {"blue": 50, "green": 50}, True),
        (809, "rolling back", "p50 of green is surely 31 ms slower than blue's", {"blue": 100}, None),
        (815, "rolled back", "verified", {"blue": 100}, True),
    ),
)


def hostile_report() -> ReleaseReport:
    """Return a report in which everything that comes from outside tries to be obeyed."""
    report = report_of(many_rows(Answers(error_ratio=0.2)))
    assert report.verdict is not None
    verdict = replace(
        report.verdict,
        live=EVIL,
        candidate=EVIL,
        sentence=EVIL,
        criteria=tuple(replace(each, reason=EVIL) for each in report.verdict.criteria),
        errors=tuple(
            replace(each, name=EVIL, meaning=EVIL, request_ids=(EVIL, EVIL)) for each in report.verdict.errors
        ),
    )
    return replace(
        report,
        outcome=EVIL,
        sentence=EVIL,
        next_action=EVIL,
        endpoint=EVIL,
        candidate=EVIL,
        live=EVIL,
        verdict=verdict,
        smoke=(SmokeCheck(EVIL, EVIL, EVIL, EVIL), SmokeCheck(EVIL, EVIL, EVIL, None)),
        journal=tuple(JournalEntry(STARTED + timedelta(seconds=at), EVIL, EVIL, {EVIL: 100}, True) for at in (0, 1)),  # noqa: FBT003 - a journal's own field
        facts={EVIL: EVIL},
        replay_command=EVIL,
        logs=(
            ContainerLog(
                EVIL, ((EVIL, EVIL),), (LogEvent(EVIL, EVIL, EVIL, EVIL),), f"{EVIL}\n```\n{EVIL}\n````\n{EVIL}"
            ),
        ),
        history=(PastRelease(EVIL, EVIL, STARTED, EVIL, EVIL, EVIL, EVIL),),
    )


def largest_report() -> ReleaseReport:
    """Return the report of an hour in which a fifth of 72,000 requests failed, and all that can be long is."""
    rows = many_rows(Answers(22, error_ratio=0.2), rate=10, duration_s=3600, warmup_s=30)
    entries = journal(
        *(
            (at * 20, "shifting", f"the platform refused for now (409), asked again, attempt {at}", {"blue": 100}, None)
            for at in range(196)
        ),
        (3950, "shifting", "first step", {"blue": 90, "green": 10}, True),
        (4010, "shifting", "split verified, no breach", {"blue": 50, "green": 50}, True),
        (4070, "promoted", "100 % verified", {"green": 100}, True),
        (4080, "promoted", "background client: 1284 requests, 0 failed", {"green": 100}, None),
    )
    return replace(
        report_of(rows, replace_policy(block_s=10, looks_s=())),
        journal=entries,
        logs=start_logs(5000),
        history=past_releases(),
    )


def replace_policy(**changes: Any) -> Any:
    return POLICY.model_copy(update=changes)


def rolled_back_report() -> ReleaseReport:
    """Return the report of a release that breached a limit under half of the traffic."""
    return replace(
        report_of(many_rows()),
        outcome="ROLLED BACK",
        good=False,
        sentence="green was rolled back at 50 %: p50 of green is surely 31 ms slower than blue's (44.0 ms vs 13.1 ms).",
        next_action="blue has all traffic again, verified. Look at what `python -m load gate` did not show.",
        journal=ROLLED_BACK_JOURNAL,
    )


SAMPLES: Mapping[str, Callable[[], ReleaseReport]] = {
    "promoted": lambda: report_of(synthetic_rows()),
    "slow": lambda: report_of(synthetic_rows(Answers(125))),
    "failing": lambda: report_of(
        many_rows(Answers(error_ratio=0.2), Answers(error_ratio=0.004, error="timeout", status=0))
    ),
    "all failing": lambda: report_of(many_rows(Answers(error_ratio=1.0))),
    "inconclusive": lambda: report_of(many_rows(Answers(44, sigma=0.5), Answers(38, sigma=0.5))),
    "invalid": lambda: report_of(synthetic_rows(end=False)),
    "broken off": lambda: report_of(
        many_rows(judged_s=0, broken_off="live failed 12 of 40 requests within 10 s", live=Answers(error_ratio=0.4))
    ),
    "first": first_release_report,
    "first, slow": lambda: first_release_report(Answers(250)),
    "first, invalid": lambda: first_release_report(end=False),
    "wrong": wrong_report,
    "unstarted": unstarted_report,
    "rolled back": rolled_back_report,
    "unlike": lambda: report_of(many_rows(models=("2", "2"), bodies={"live": numbers(0), "candidate": numbers(0.5)})),
    "another model": lambda: report_of(
        many_rows(bodies={"live": numbers(0), "candidate": numbers(2.0)}), replace_policy(max_psi=0.25)
    ),
    "labels": lambda: report_of(
        many_rows(bodies={"live": labels(0), "candidate": labels(1)}), replace_policy(max_flip_ratio=0.2)
    ),
    "looks": lambda: report_of(
        many_rows(Answers(22, sigma=0.4), duration_s=360, judged_s=240), replace_policy(looks_s=(60.0, 120.0, 240.0))
    ),
    "with history": lambda: replace(report_of(synthetic_rows()), history=past_releases()),
    "hostile": hostile_report,
    "largest": largest_report,
}


@cache
def sample(name: str) -> ReleaseReport:
    """Return one of the samples, built once."""
    return SAMPLES[name]()
