"""The tables [load] and [gate] of release.toml."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

OFF = "off"  # TOML has no null: so a limit that is not wanted is written
TOLERANCE_S = 1e-9


def limit_of(value: object) -> object:
    """Return what a limit is set to; raises ValueError for a truth value, which pydantic would take for 1 or 0."""
    if isinstance(value, bool):
        raise ValueError(f'{str(value).lower()} is no limit; write a number, or "{OFF}"')  # noqa: TRY004 - pydantic's
    return None if value == OFF else value


Limit = Annotated[float | None, BeforeValidator(limit_of)]


class LoadSettings(BaseModel):
    """How live and candidate are asked: [load]."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate_pairs_per_s: float = Field(
        10.0,
        gt=0,
        le=250,
        description="Mean arrivals a second, Poisson; each asks live and candidate once. Twice this counts against the "
        "endpoint's 500 requests/s, which it shares with its users.",
    )
    end_rate_pairs_per_s: float | None = Field(
        None, gt=0, le=250, description="What the rate rises (or falls) to over duration_s, in a straight line."
    )
    warmup_s: float = Field(
        30.0, ge=0, le=600, description="Seconds at the start whose answers are stored but not judged."
    )
    duration_s: float = Field(
        360.0,
        ge=1,
        le=14400,
        description="Seconds that are judged at most, after the warm-up; fewer where a look has decided.",
    )
    timeout_s: float = Field(
        30.0, gt=0, le=180, description="Seconds until a request without a whole answer counts as failed."
    )
    max_in_flight: int = Field(
        100,
        ge=1,
        le=250,
        description="Unanswered requests allowed per deployment; an arrival beyond counts as dropped, a failure of the "
        "deployment that did not answer.",
    )
    stop_at_live_error_ratio: Limit = Field(
        0.2,
        gt=0,
        le=1,
        description="Share of live's requests (0 to 1) that fail within live_window_s beyond which the load ends at "
        "once: live has users.",
    )
    live_window_s: float = Field(10.0, ge=1, le=600, description="Seconds over which live's failures are counted.")
    seed: int = Field(1, ge=0, description="Seed of the arrival times, the payloads and who is asked first.")


class GatePolicy(BaseModel):
    """What the candidate must show: [gate]. Every limit may be "off"."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slo_p50_ms: Limit = Field(None, gt=0, description="Milliseconds that half of the answers must take at most.")
    slo_p95_ms: Limit = Field(300.0, gt=0, description="Milliseconds that 95 % of the answers must take at most.")
    slo_p99_ms: Limit = Field(1000.0, gt=0, description="Milliseconds that 99 % of the answers must take at most.")
    max_error_ratio: Limit = Field(
        0.01, gt=0, lt=1, description="Share of failed requests (0 to 1) that the upper bound must not exceed."
    )
    max_error_increase: Limit = Field(
        0.006,
        gt=0,
        lt=1,
        description="By how much the candidate's share of failed requests (0 to 1) may exceed live's, at its bound.",
    )
    min_throughput_ratio: Limit = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of the scheduled requests (0 to 1) that the candidate must answer with 200.",
    )
    max_p50_ratio: Limit = Field(
        1.15, gt=1, le=10, description="Candidate's median as a multiple of live's that is still as good."
    )
    max_p95_ratio: Limit = Field(
        1.25, gt=1, le=10, description="Candidate's p95 as a multiple of live's that is still as good."
    )
    max_p99_ratio: Limit = Field(
        1.50,
        gt=1,
        le=10,
        description="Candidate's p99 as a multiple of live's beyond which it fails; p99_must_be_shown says what "
        "happens where neither is certain.",
    )
    p99_must_be_shown: bool = Field(
        False,  # noqa: FBT003 - pydantic's default
        description="Whether p99 has to be shown to be within its limit; it then takes longer, and one good release in "
        "five stays open.",
    )
    ignore_below_ms: float = Field(
        10.0,
        ge=0,
        description="Milliseconds by which the candidate may be slower whatever the ratio; 5 to 10 % of the SLO.",
    )
    max_unlike_ratio: Limit = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the payloads (0 to 1) that the same model version may answer unlike live.",
    )
    absolute_tolerance: float = Field(1e-6, ge=0, description="How far apart two predictions may be and still be like.")
    relative_tolerance: float = Field(
        1e-5, ge=0, lt=1, description="The same as a share of live's prediction; the two add up."
    )
    max_flip_ratio: Limit = Field(
        None, gt=0, lt=1, description="Share of the labels (0 to 1) that a new model may give otherwise than live."
    )
    max_psi: Limit = Field(
        0.25,
        gt=0,
        description="Population stability index of a new model's predictions against live's, over ten bins.",
    )
    max_ks_distance: Limit = Field(
        None,
        gt=0,
        lt=1,
        description="Kolmogorov and Smirnov's distance (0 to 1) of a new model's predictions from live's.",
    )
    min_parity_values: int = Field(
        1000,
        ge=100,
        description="Distinct predictions of live below which no distribution is compared: the rest is noise.",
    )
    min_samples: int = Field(1000, ge=100, description="Judged requests per deployment below which nothing is judged.")
    min_blocks: int = Field(8, ge=5, description="Time blocks below which no bound can be trusted.")
    block_s: float = Field(
        5.0, gt=0, le=120, description="Seconds in a time block; longer than a stall or a drift that both would share."
    )
    looks_s: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (120.0, 240.0),
        max_length=10,
        description="Judged seconds after which the rows are looked at; the end of the load is always the last look. "
        "The first that decides ends the load.",
    )
    confidence: float = Field(
        0.95, ge=0.8, lt=1, description="One-sided confidence (0.8 to 1) of every bound, over all looks together."
    )
    bootstrap_resamples: int = Field(2000, ge=200, le=20000, description="Resamples of the blocks.")
    bootstrap_seed: int = Field(1, ge=0, description="Seed of the resampling: the same rows give the same verdict.")
    max_lag_p99_ms: float = Field(
        25.0,
        gt=0,
        description="Milliseconds that the generator itself may be late with a request, at the 99th percentile.",
    )
    max_generator_cpu_ratio: float = Field(
        0.8, gt=0, le=1, description="Share of one core (0 to 1) that the generator may have used."
    )

    @model_validator(mode="after")
    def looks_rise(self) -> "GatePolicy":
        """Refuse looks that are not in order of time."""
        if list(self.looks_s) != sorted(set(self.looks_s)):
            raise ValueError(f"looks_s is {list(self.looks_s)}; each look has to be later than the one before")
        return self

    def looks_of(self, duration_s: float) -> tuple[float, ...]:
        """Return the judged seconds after which a run of this length is looked at, its end the last of them."""
        return (*(look_s for look_s in self.looks_s if look_s < duration_s - TOLERANCE_S), duration_s)


def read_load_settings(path: Path, profile: str | None = None) -> LoadSettings:
    """Read [load] of a TOML file, with [profiles.<profile>.load] laid over it.

    Raises OSError, tomllib.TOMLDecodeError, KeyError (no such profile) or pydantic.ValidationError.
    """
    return LoadSettings.model_validate(read_table(path, "load", profile))


def read_gate_policy(path: Path, profile: str | None = None) -> GatePolicy:
    """Read [gate] of a TOML file, with [profiles.<profile>.gate] laid over it; raises as read_load_settings does."""
    return GatePolicy.model_validate(read_table(path, "gate", profile))


def read_table(path: Path, name: str, profile: str | None) -> Any:
    """Return the table with the profile's laid over it, or what stands in its place, for pydantic to refuse."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise tomllib.TOMLDecodeError(f"it is no UTF-8: {error}") from error
    table = document.get(name, {})
    if profile is None:
        return table
    profiles = document.get("profiles", {})
    if profile not in profiles:
        raise KeyError(profile)
    over = profiles[profile].get(name, {})
    if isinstance(table, dict) and isinstance(over, dict):
        return {**table, **over}
    return over if isinstance(table, dict) else table
