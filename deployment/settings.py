"""deployment/release.toml: what a fork edits, validated before anything is touched."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deployment.outcomes import BadInputError
from load.settings import GatePolicy, LoadSettings

Percent = Annotated[int, Field(ge=1, le=100)]


class ShiftSettings(BaseModel):
    """How traffic moves to the candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps_percent: tuple[Percent, ...] = Field(
        min_length=1, description="The candidate's share at each step: rising, the last one 100."
    )
    probes_per_step: int = Field(
        ge=132,
        le=5000,
        description="Requests without a deployment header that verify a split; 132 tell 10 % from 0 % but for one in "
        "a million.",
    )
    routing_timeout_s: float = Field(gt=0, le=1800, description="How long a split may take to show in the answers.")
    bake_s: float = Field(ge=0, le=3600, description="How long each step is watched before the next one.")

    @model_validator(mode="after")
    def steps_rise_to_100(self) -> Self:
        if list(self.steps_percent) != sorted(set(self.steps_percent)) or self.steps_percent[-1] != 100:  # noqa: PLR2004 - percent
            raise ValueError(f"steps_percent must rise and end at 100, not {list(self.steps_percent)}")
        return self


class ReleaseSettings(BaseModel):
    """All of release.toml, one profile applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: ShiftSettings
    load: LoadSettings
    gate: GatePolicy


def read_settings(path: Path, *, profile: str | None = None) -> ReleaseSettings:
    """Read the settings with [profiles.<profile>.*] laid over [shift], [load] and [gate].

    Raises BadInputError naming the file, the key, the value and what is allowed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"settings: {path} cannot be read ({error})") from error
    profiles = document.pop("profiles", {})
    if profile is not None and profile not in profiles:
        raise BadInputError(
            f"settings: {path} has no profile {profile!r}; it has {', '.join(sorted(profiles)) or 'none'}"
        )
    try:
        return ReleaseSettings.model_validate(overlay(document, profiles.get(profile, {})))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']} (it is {fault['input']!r})" for fault in error.errors()
        )
        raise BadInputError(f"settings: {path}: {faults}") from error


def overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the tables of `over` laid over its own, key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
