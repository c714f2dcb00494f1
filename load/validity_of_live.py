"""Whether live keeps its own limits: beside a live that does not, the candidate cannot be judged."""

from load.intervals import binomial_bounds, bounds, quantile, resample_blocks, resampled_quantiles
from load.latency import SHARES, arm_of, blocks_of
from load.rows import Rows
from load.settings import GatePolicy
from load.verdict import Criterion, must_hold
from load.wording import number, percent


def live_without_errors(rows: Rows, policy: GatePolicy) -> Criterion | None:
    live = rows.of("live")
    if len(live) == 0 or policy.max_error_ratio is None:
        return None
    failed = int((live.error != "").sum())
    ratio, (surely, _) = failed / len(live), binomial_bounds(failed, len(live), policy.confidence)
    return must_hold(
        "errors of live",
        surely,
        "<=",
        policy.max_error_ratio,
        f"live itself failed {failed} of {len(live)} requests ({percent(ratio)}, surely over {percent(surely)}), "
        f"{percent(policy.max_error_ratio)} are allowed",
        unit="ratio",
        live=ratio,
    )


def live_within_slo(rows: Rows, policy: GatePolicy, judged_s: float, confidence: float) -> list[Criterion]:
    """Hold live's quantiles against the SLO: p50 and p95 by their values, p99 by its lower bound.

    A stall or two put any p99 beyond its limit for some minutes; what that means for the candidate is judged with it.
    """
    live = rows.of("live")
    latency_ms = live.latency_ms[live.latency_known]
    limits_ms = {"p50": policy.slo_p50_ms, "p95": policy.slo_p95_ms, "p99": policy.slo_p99_ms}
    found = []
    for name, limit_ms in limits_ms.items():
        if limit_ms is None or len(latency_ms) == 0:
            continue
        value_ms = quantile(latency_ms, SHARES[name])
        surely_ms, told = value_ms, ""
        if name == "p99" and value_ms > limit_ms:
            surely_ms = lower_bound_ms(rows, SHARES[name], policy, judged_s, confidence)
            told = f", surely over {number(surely_ms, 'ms')}"
        found.append(
            must_hold(
                f"{name} of live",
                surely_ms,
                "<=",
                limit_ms,
                f"live itself has a {name} of {number(value_ms, 'ms')}{told}, its SLO is {limit_ms:g} ms",
                unit="ms",
                live=value_ms,
            )
        )
    return found


def lower_bound_ms(rows: Rows, share: float, policy: GatePolicy, judged_s: float, confidence: float) -> float:
    """Return the lower bound of one of live's quantiles; nothing is sure where there is no whole block."""
    blocks = blocks_of(judged_s, policy)
    if blocks == 0:
        return 0.0
    draws = resample_blocks(blocks, policy.bootstrap_resamples, policy.bootstrap_seed)
    return bounds(resampled_quantiles(arm_of(rows, "live", blocks, judged_s), draws, (share,))[0], confidence)[0]
