"""What the endpoint's tags say of the release that holds it: the one memory that a release has."""

import getpass
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from deployment.outcomes import BadInputError
from deployment.phases import ENDED, Phase
from deployment.platform import HOLDER_TAG, Routing
from load.report_data import PastRelease

PREFIX = "release_"
MOST_PAST = 10
NAMES = (
    *("id", "phase", "phase_at", "holder", "leased_until", "live", "candidate", "image", "model_version", "git_sha"),
    *("routing", "run_url", "kept", "kept_until"),
    *(f"past_{place}" for place in range(MOST_PAST)),
)
OWN_TAGS = frozenset(PREFIX + name for name in NAMES)
# What Azure Resource Manager allows: 50 tags of a resource, 256 characters of a value
# (Microsoft Learn, "Use tags to organize your Azure resources").
MAX_VALUE_CHARACTERS = 256
SEPARATOR = "|"
DIGITS = 12
# So that a release's line in the history fits into one tag.
NAME_CHARACTERS, VERSION_CHARACTERS = 80, 40
NAME = rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_CHARACTERS - 1}}}"


@dataclass(frozen=True)
class Past(PastRelease):
    """A release that has ended, in one tag, which keeps the first twelve hex digits of its image and its commit."""

    def to_tag(self) -> str:
        version = self.model_version.replace(SEPARATOR, "/")[:VERSION_CHARACTERS]
        cells = (self.release_id, self.outcome, stamp(self.finished_at), self.deployment, version)
        return SEPARATOR.join((*cells, digest_of(self.image) or self.image[:DIGITS], self.commit[:DIGITS]))

    @classmethod
    def from_tag(cls, value: str) -> Self:
        release_id, outcome, finished_at, deployment, model_version, image, commit = value.split(SEPARATOR)
        return cls(release_id, outcome, moment(finished_at), deployment, model_version, image, commit)


@dataclass(frozen=True)
class Record:
    """The release that holds the endpoint or was the last to do so.

    `holder` names the process that may write, and differs for each; the hold is everybody's once `leased_until` is
    over. `routing` is what the release last set, so that a change of somebody else's is seen. `kept` stays warm at 0 %
    until `kept_until`, for the way back.
    """

    release_id: str
    phase: Phase
    at: datetime
    holder: str
    leased_until: datetime
    live: str
    candidate: str
    image: str
    model_version: str
    git_sha: str
    routing: Routing
    run_url: str = ""
    kept: str = ""
    kept_until: datetime | None = None
    past: tuple[Past, ...] = ()

    @property
    def in_flight(self) -> bool:
        return self.phase not in ENDED

    def keeps_warm(self, now: datetime) -> bool:
        """Tell whether the way back of a promoted release is still to be kept open."""
        return bool(self.kept) and self.kept_until is not None and now < self.kept_until

    def ended(self, phase: Phase, outcome: str, now: datetime, *, keep_warm_s: float | None = None) -> "Record":
        """Return the record of the release's end, with its line in the history."""
        deployment = self.candidate
        entry = Past(self.release_id, outcome, now, deployment, self.model_version, self.image, self.git_sha)
        past = (entry, *(other for other in self.past if other.release_id != self.release_id))[:MOST_PAST]
        kept, kept_until = "", None
        if keep_warm_s is not None and self.live:
            kept, kept_until = self.live, now + timedelta(seconds=keep_warm_s)
        return replace(self, phase=phase, past=past, kept=kept, kept_until=kept_until)

    def to_tags(self) -> dict[str, str]:
        """Return the tags, all of them beginning with release_."""
        tags = {
            "id": self.release_id,
            "phase": self.phase.value,
            "phase_at": stamp(self.at),
            "leased_until": stamp(self.leased_until),
            "live": self.live,
            "candidate": self.candidate,
            "image": self.image,
            "model_version": self.model_version,
            "git_sha": self.git_sha,
            "routing": routing_to_tag(self.routing),
            "run_url": self.run_url[:MAX_VALUE_CHARACTERS],
            "kept": self.kept,
            "kept_until": stamp(self.kept_until) if self.kept_until else "",
        }
        tags |= {f"past_{place}": entry.to_tag() for place, entry in enumerate(self.past)}
        named = {HOLDER_TAG: self.holder} | {PREFIX + name: value for name, value in tags.items() if value}
        for name, value in named.items():
            if len(value) > MAX_VALUE_CHARACTERS:
                raise BadInputError(
                    f"tag {name}: {value!r} has {len(value)} characters where {MAX_VALUE_CHARACTERS} are allowed"
                )
        return named


def read_record(tags: Mapping[str, str]) -> Record | None:
    """Read the record from an endpoint's tags; None where no release has held it.

    Raises BadInputError where a tag was damaged, with its name and what to do.
    """
    own = {name.removeprefix(PREFIX): value for name, value in tags.items() if name in OWN_TAGS}
    if not own:
        return None
    try:
        return Record(
            release_id=own["id"],
            phase=Phase(own["phase"]),
            at=moment(own["phase_at"]),
            holder=tags[HOLDER_TAG],
            leased_until=moment(own["leased_until"]),
            live=own.get("live", ""),
            candidate=own["candidate"],
            image=own.get("image", ""),
            model_version=own.get("model_version", ""),
            git_sha=own.get("git_sha", ""),
            routing=routing_from_tag(own.get("routing", "")),
            run_url=own.get("run_url", ""),
            kept=own.get("kept", ""),
            kept_until=moment(own["kept_until"]) if "kept_until" in own else None,
            past=tuple(Past.from_tag(own[f"past_{place}"]) for place in range(MOST_PAST) if f"past_{place}" in own),
        )
    except (KeyError, ValueError) as error:
        raise BadInputError(
            f"endpoint tags: those that begin with {PREFIX} cannot be read ({error!r}); somebody has changed them. "
            "`python -m deployment rollback --to NAME` gives one deployment all traffic and writes them anew"
        ) from error


def new_holder(run_url: str) -> str:
    """Return a name for this process that no other has: who runs it, and a random end."""
    who = run_url or f"{user_name()}@{socket.gethostname()}"
    return f"{who[:200]} #{secrets.token_hex(4)}"


def user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return "somebody"


def utc_now() -> datetime:
    """Return the time, to the millisecond, as tags hold it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def require_name(what: str, value: str) -> str:
    """Return a name that fits into tags, folders and commands; raises BadInputError."""
    if re.fullmatch(NAME, value) is None:
        raise BadInputError(
            f"{what}: {value!r} is not 1 to {NAME_CHARACTERS} letters, digits, dots, dashes and underscores, a "
            "letter or digit first; choose another"
        )
    return value


def moment(value: str) -> datetime:
    """Read a time with its zone; raises ValueError."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return at


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def digest_of(image: str) -> str:
    """Return the image's digest, short enough for a tag and long enough to find it."""
    return image.partition("@sha256:")[2][:DIGITS]


def routing_to_tag(routing: Routing) -> str:
    """Write `blue=90 green=10`, and ` ~green=5` for mirrored traffic."""
    shares = [f"{name}={percent}" for name, percent in sorted(routing.traffic.items())]
    return " ".join(shares + [f"~{name}={percent}" for name, percent in sorted(routing.mirror.items())])


def routing_from_tag(value: str) -> Routing:
    traffic: dict[str, int] = {}
    mirror: dict[str, int] = {}
    for share in value.split():
        name, _, percent = share.partition("=")
        (mirror if name.startswith("~") else traffic)[name.removeprefix("~")] = int(percent)
    return Routing(traffic, mirror)
