"""The report for machines, as the classes that its JSON is written from and its schema is made of."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from load.report_text import redacted, writable
from load.verdict import Layer, Outcome

SCHEMA = 1


def finite(value: Any) -> float | None:
    """Return the number, and None for one that JSON cannot hold."""
    return float(value) if value is not None and isfinite(value) else None


def clean(value: Any) -> Any:
    """Return text without keys, and without half characters, which UTF-8 cannot hold."""
    return writable(redacted(value)) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(clean)]
Number = Annotated[float | None, BeforeValidator(finite)]


class Part(BaseModel):
    """A part of the document, made of the dataclass that has the same fields."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Criterion(Part):
    """A limit and how it was met: `measured operator limit` is what is wanted."""

    name: Text = Field(description="What is limited; names that end in 'beside live' limit a difference.")
    layer: Layer = Field(description="What the criterion is about.")
    unit: str = Field(description="Unit of all its numbers: ms, ratio (0 to 1), count, or index (none).")
    operator: str = Field(description="How measured is compared with limit: <= or >=.")
    limit: Number = Field(description="The limit; null for one that no number reaches.")
    measured: Number = Field(description="What is compared with the limit; null where there was nothing to measure.")
    result: Outcome = Field(description="Whether the limit was met; decided by the interval where there is one.")
    reason: Text = Field(description="The numbers in words.")
    live: Number = Field(description="The same of live; null where there is none.")
    candidate: Number = Field(description="The same of the candidate; null where there is none.")
    interval: tuple[Number, Number] | None = Field(description="One-sided lower and upper bound of measured.")


class ErrorClass(Part):
    """Failed requests of one kind."""

    name: Text = Field(description="http_<status>, timeout, connection, or dropped (not sent).")
    meaning: Text = Field(description="What that says, in words.")
    live: int = Field(description="How many of live's judged requests failed so.")
    candidate: int = Field(description="How many of the candidate's judged requests failed so.")
    request_ids: tuple[Text, ...] = Field(description="The x-request-id of some of the candidate's.")


class Unlike(Part):
    """A payload to which the two gave other answers."""

    payload: Text = Field(description="Id of the payload; its content is in no report.")
    live: Text = Field(description="Live's prediction that is furthest from the candidate's, or how many it gave.")
    candidate: Text = Field(description="The candidate's prediction in its place.")
    difference: Number = Field(description="How far apart they are; null where they are no numbers.")


class Parity(Part):
    """How the candidate's answers compare with live's to the same payloads."""

    same_model: bool = Field(description="Whether both named one model version in their answers.")
    steady: bool = Field(description="Whether live gave one answer to each payload.")
    compared: int = Field(description="Payloads that both have answered.")
    values: int = Field(description="Predictions in the answers to them.")
    unlike: int = Field(description="Payloads whose answers differ by more than the tolerance.")
    worst: tuple[Unlike, ...] = Field(description="Some of them, those that differ most first.")
    mean_shift: Number = Field(description="The candidate's mean minus live's; null for labels.")
    ks_distance: Number = Field(description="Kolmogorov-Smirnov distance of the predictions; null where too few.")
    psi: Number = Field(description="Population stability index of the predictions; null where too few.")


class Look(Part):
    """What the gate said while the load went on."""

    judged_s: float = Field(description="After how many judged seconds.")
    outcome: Outcome = Field(description="What it said.")
    sentence: Text = Field(description="Why, in a sentence.")


class Verdict(Part):
    """What the gate says of the load."""

    outcome: Outcome = Field(description="What it says.")
    sentence: Text = Field(description="Why, in a sentence.")
    criteria: tuple[Criterion, ...] = Field(description="Every limit, those of validity first.")
    live: Text | None = Field(description="The deployment compared with; null where there was none.")
    candidate: Text = Field(description="The deployment that was judged.")
    judged_s: float = Field(description="Seconds after the warm-up that the verdict is about.")
    looks: tuple[Look, ...] = Field(description="When the rows were looked at; the last one decided.")
    errors: tuple[ErrorClass, ...] = Field(description="Failed requests by kind, the candidate's most frequent first.")
    parity: Parity | None = Field(description="How the answers compare; null where nothing was compared.")


class SmokeCheck(Part):
    """A golden request to the candidate."""

    request_id: Text = Field(description="Which golden request.")
    expected: Text = Field(description="The answer that was stored in training.")
    answered: Text = Field(description="What the candidate answered.")
    mismatch: Text | None = Field(description="What is wrong with that; null where it is right.")


class JournalEntry(Part):
    """Something that happened."""

    at: datetime = Field(description="When.")
    phase: Text = Field(description="The phase of the release, as docs/release.md names them.")
    event: Text = Field(description="What, in words.")
    traffic: Mapping[Text, int] = Field(description="Percent of the traffic by deployment, afterwards.")
    verified: bool | None = Field(
        description="Whether the answers were seen to follow that traffic; null where nobody looked."
    )


class PastRelease(Part):
    """A release that ended before this one on the same endpoint."""

    release_id: Text = Field(description="Its id.")
    outcome: Text = Field(description="How it ended.")
    finished_at: datetime = Field(description="When it ended.")
    deployment: Text = Field(description="The deployment that was its candidate.")
    model_version: Text = Field(description="The model version that it was to release.")
    image: Text = Field(description="The image that it was to release, by digest.")
    commit: Text = Field(description="The git commit that it was of.")


class Document(Part):
    """A release to an Azure ML online endpoint, as report.json holds it; its rows and logs are files of their own."""

    version: int = Field(
        SCHEMA, alias="schema", description="Version of this schema; another one may mean other things."
    )
    outcome: Text = Field(description="How the release ended, in a word or two.")
    good: bool = Field(description="Whether it ended as it was meant to.")
    sentence: Text = Field(description="Why it ended so.")
    next_action: Text = Field(description="What to do now.")
    endpoint: Text = Field(description="The endpoint's name.")
    finished_at: datetime = Field(description="When the release ended.")
    live: Text | None = Field(description="The deployment that had the traffic before; null at a first release.")
    candidate: Text | None = Field(description="The deployment that is to have it.")
    verdict: Verdict | None = Field(description="What the gate says; null where the release ended before the load.")
    smoke: tuple[SmokeCheck, ...] = Field(description="The golden requests that the candidate was asked.")
    journal: tuple[JournalEntry, ...] = Field(description="What happened, in its order.")
    facts: Mapping[Text, Text] = Field(description="The environment, and whether the load generator kept up.")
    history: tuple[PastRelease, ...] = Field(description="Releases that ended before this one, in any order.")
    replay_command: Text | None = Field(description="What judges the same rows again; null where there are none.")
