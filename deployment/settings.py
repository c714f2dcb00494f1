"""deployment/release.toml: what a fork edits, validated before anything is touched."""

import tomllib
from enum import StrEnum
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
    bake_rate_pairs_per_s: float = Field(
        3.0, gt=0, le=20, description="How often, while a step is watched, live and candidate are asked the same."
    )
    mirror_percent: int = Field(
        0, ge=0, le=50, description="Share of live's requests that are copied to the candidate before the first step."
    )
    mirror_s: float = Field(60.0, ge=0, le=3600, description="How long requests are mirrored.")
    drill: bool = Field(
        default=True, description="Whether the way back is walked once before the candidate has any traffic."
    )

    @model_validator(mode="after")
    def steps_rise_to_100(self) -> Self:
        if list(self.steps_percent) != sorted(set(self.steps_percent)) or self.steps_percent[-1] != 100:  # noqa: PLR2004 - percent
            raise ValueError(f"steps_percent must rise and end at 100, not {list(self.steps_percent)}")
        return self


class Afterwards(StrEnum):
    """What becomes of the deployment that was live, once its soak is over."""

    DELETE = "delete"
    SCALE = "scale"


class SoakSettings(BaseModel):
    """How long the way back stays open after a promotion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    duration_s: float = Field(
        3600.0, ge=0, le=1_209_600, description="How long the deployment that was live stays warm at 0 %."
    )
    afterwards: Afterwards = Field(
        Afterwards.DELETE, description="Whether `finish` deletes it, or scales it down to `instances`."
    )
    instances: int = Field(1, ge=1, le=50, description="To how many instances `finish` scales it down.")


class PlatformSettings(BaseModel):
    """How long the platform is waited for, and how long an endpoint is held."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provisioning_timeout_s: float = Field(
        3600.0, gt=0, le=21_600, description="How long a deployment may take to become ready."
    )
    operation_timeout_s: float = Field(
        600.0, gt=0, le=3600, description="How long a change of traffic or a deletion may take."
    )
    patience_s: float = Field(
        120.0, gt=0, le=3600, description="How long a call is repeated that the platform refuses for now."
    )
    rollback_patience_s: float = Field(
        900.0, gt=0, le=7200, description="The same on the way back; at least as long as patience_s."
    )
    lease_s: float = Field(
        7200.0,
        ge=60,
        le=172_800,
        description="How long a release that has gone silent keeps others from the endpoint.",
    )
    approval_s: float = Field(
        259_200.0,
        ge=0,
        le=2_592_000,
        description="How long a release that has passed may wait for a person before `guard` takes it for silent.",
    )

    @model_validator(mode="after")
    def the_way_back_is_more_patient(self) -> Self:
        if self.rollback_patience_s < self.patience_s:
            raise ValueError(
                f"rollback_patience_s ({self.rollback_patience_s:g}) must be at least patience_s ({self.patience_s:g})"
            )
        return self


class PullRequestSettings(BaseModel):
    """What the comparison of a pull request with its base may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    binding: bool = Field(
        default=False,
        description="Whether a pull request that is shown to be worse than its base fails; else it is told alone.",
    )


Cooldown = Annotated[int, Field(ge=60, le=604_800, multiple_of=60)]


class AutoscaleSettings(BaseModel):
    """How Azure Monitor changes the number of instances of the deployment that serves; deployment/autoscale.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        default=False, description="Whether the deployment that has the traffic is scaled; a release moves that along."
    )
    minimum_instances: int = Field(2, ge=1, le=50, description="Fewer are never left.")
    maximum_instances: int = Field(5, ge=1, le=50, description="More are never added.")
    out_above_cpu_percent: Percent = Field(70, description="An instance is added above this mean load of the CPUs.")
    in_below_cpu_percent: Percent = Field(30, description="An instance is taken away below this one.")
    window_s: int = Field(
        300, ge=300, le=43_200, multiple_of=60, description="Of how long the mean is taken, in whole minutes."
    )
    out_cooldown_s: Cooldown = Field(300, description="How long nothing is changed after an instance was added.")
    in_cooldown_s: Cooldown = Field(600, description="How long nothing is changed after one was taken away.")

    @model_validator(mode="after")
    def bounds_are_in_order(self) -> Self:
        if self.minimum_instances > self.maximum_instances:
            raise ValueError(
                f"minimum_instances ({self.minimum_instances}) must be at most maximum_instances "
                f"({self.maximum_instances})"
            )
        if self.in_below_cpu_percent >= self.out_above_cpu_percent:
            raise ValueError(
                f"in_below_cpu_percent ({self.in_below_cpu_percent}) must be less than out_above_cpu_percent "
                f"({self.out_above_cpu_percent})"
            )
        return self


class ReleaseSettings(BaseModel):
    """All of release.toml, one profile applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: ShiftSettings
    load: LoadSettings
    gate: GatePolicy
    soak: SoakSettings = SoakSettings()
    platform: PlatformSettings = PlatformSettings()
    pull_request: PullRequestSettings = PullRequestSettings()
    autoscale: AutoscaleSettings = AutoscaleSettings()

    @model_validator(mode="after")
    def the_lease_outlasts_what_is_done_in_silence(self) -> Self:
        load, shift, platform = self.load, self.shift, self.platform
        measured_s = load.warmup_s + load.duration_s + load.timeout_s
        silent_s = platform.provisioning_timeout_s + measured_s + max(shift.bake_s, shift.mirror_s)
        if platform.lease_s < silent_s:
            raise ValueError(
                f"platform.lease_s ({platform.lease_s:g}) must be at least provisioning_timeout_s, the load test and a "
                f"step together ({silent_s:g}), in which nothing is written to the endpoint"
            )
        return self


def read_settings(path: Path, *, profile: str | None = None) -> ReleaseSettings:
    """Read the settings with [profiles.<profile>.*] laid over the file's own tables.

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
