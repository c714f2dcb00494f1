"""What is released, and how a release ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployment.golden import ModelArtefacts
from deployment.outcomes import Outcome
from deployment.platform import Traffic
from load.report_data import ContainerLog, JournalEntry, PastRelease, SmokeCheck
from load.verdict import Verdict


@dataclass(frozen=True)
class Release:
    """What is to be released: an image by digest, the model in it, and the commit they were made from."""

    release_id: str
    image: str
    model: ModelArtefacts
    git_sha: str
    run_url: str = ""


@dataclass(frozen=True)
class Result:
    """How a release ended: the outcome, the sentence that says why, what to do next, and what it was decided on.

    `live` is the deployment that had the traffic before (None at a first release); `traffic` is what the release left;
    `facts` are labels and values of the deployments, for the report.
    """

    outcome: Outcome
    sentence: str
    next_action: str
    endpoint: str
    live: str | None
    candidate: str
    traffic: Traffic
    smoke: tuple[SmokeCheck, ...]
    verdict: Verdict | None
    journal: tuple[JournalEntry, ...]
    rows_path: Path | None
    logs: tuple[ContainerLog, ...] = ()
    history: tuple[PastRelease, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
