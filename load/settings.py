"""The tables [load] and [gate] of release.toml."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class LoadSettings(BaseModel):
    """How live and candidate are asked: [load]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_pairs_per_s: float = Field(
        10.0,
        gt=0,
        le=250,
        description="Mean arrivals a second, Poisson; each asks live and candidate once. Twice this counts against the "
        "endpoint's 500 requests/s, which it shares with its users.",
    )
    warmup_s: float = Field(
        30.0, ge=0, le=600, description="Seconds at the start whose answers are stored but not judged."
    )
    duration_s: float = Field(180.0, ge=1, le=14400, description="Seconds that are judged, after the warm-up.")
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
    seed: int = Field(1, ge=0, description="Seed of the arrival times, the payloads and who is asked first.")


class GatePolicy(BaseModel):
    """What the candidate must show: [gate]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slo_p95_ms: float = Field(300.0, gt=0, description="Milliseconds that 95 % of the answers must take at most.")
    slo_p99_ms: float = Field(1000.0, gt=0, description="Milliseconds that 99 % of the answers must take at most.")
    max_error_ratio: float = Field(
        0.01, gt=0, lt=1, description="Share of failed requests (0 to 1) that the upper bound must not exceed."
    )
    max_p50_ratio: float = Field(
        1.15, gt=1, le=10, description="Candidate's median as a multiple of live's that is still as good."
    )
    max_p95_ratio: float = Field(
        1.20, gt=1, le=10, description="Candidate's p95 as a multiple of live's that is still as good."
    )
    ignore_below_ms: float = Field(
        10.0,
        ge=0,
        description="Milliseconds by which the candidate may be slower whatever the ratio; 5 to 10 % of the SLO.",
    )
    min_throughput_ratio: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of the scheduled requests (0 to 1) that the candidate must answer with 200.",
    )
    min_samples: int = Field(1000, ge=100, description="Judged requests per deployment below which nothing is judged.")
    min_blocks: int = Field(8, ge=5, description="Time blocks below which no bound can be trusted.")
    block_s: float = Field(
        10.0, gt=0, le=120, description="Seconds in a time block; longer than a stall or a drift that both would share."
    )
    confidence: float = Field(0.95, ge=0.8, lt=1, description="One-sided confidence (0.8 to 1) of every bound.")
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


def read_load_settings(path: Path, profile: str | None = None) -> LoadSettings:
    """Read [load] of a TOML file, with [profiles.<profile>.load] laid over it.

    Raises OSError, tomllib.TOMLDecodeError, KeyError (no such profile) or pydantic.ValidationError.
    """
    return LoadSettings.model_validate(read_table(path, "load", profile))


def read_gate_policy(path: Path, profile: str | None = None) -> GatePolicy:
    """Read [gate] of a TOML file, with [profiles.<profile>.gate] laid over it; raises as read_load_settings does."""
    return GatePolicy.model_validate(read_table(path, "gate", profile))


def read_table(path: Path, name: str, profile: str | None) -> dict[str, Any]:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    over = document["profiles"][profile].get(name, {}) if profile else {}
    return {**document.get(name, {}), **over}
