"""Numbers and times as the gate and both reports write them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from load.verdict import Criterion

MARKS = {True: "yes", False: "no", None: ""}
MINUS = "\N{MINUS SIGN}"
BESIDE_LIVE = " beside live"  # ends the name of a criterion whose measured value is a difference
OPERATORS = {"<=": "≤", ">=": "≥"}


def number(value: float | None, unit: str) -> str:
    """Return a value with its unit; nothing where there is no value."""
    if value is None:
        return ""
    match unit:
        case "ms":
            return f"{value:.1f} ms" if abs(value) < 100 else f"{value:.0f} ms"  # noqa: PLR2004 - digits that matter
        case "ratio":
            return percent(value)
        case _:
            return f"{value:g}"


def percent(share: float) -> str:
    """Return a share (0 to 1) in percent."""
    return f"{share * 100:.2f} %" if abs(share) < 0.1 else f"{share * 100:.1f} %"  # noqa: PLR2004 - digits that matter


def limit(criterion: Criterion) -> str:
    """Return `≤ 30.0 ms`, or `≤ +30.0 ms` where a difference is limited."""
    sign = "+" if is_difference(criterion) else ""
    return f"{OPERATORS[criterion.operator]} {sign}{number(criterion.limit, criterion.unit)}"


def change(criterion: Criterion) -> str:
    """Return what was compared with the limit, and its bounds where it has any."""
    if criterion.measured is None:
        return ""
    sign = signed if is_difference(criterion) else number
    text = sign(criterion.measured, criterion.unit)
    if criterion.interval is not None:
        lower, upper = criterion.interval
        text += f" ({sign(lower, criterion.unit)} to {sign(upper, criterion.unit)})"
    return text


def signed(value: float, unit: str) -> str:
    size = number(abs(value), unit)
    if not float(size.partition(" ")[0]):
        return size
    return f"{'+' if value > 0 else MINUS}{size}"


def is_difference(criterion: Criterion) -> bool:
    return criterion.name.endswith(BESIDE_LIVE)


def surely(lower: float, upper: float, limit: float, unit: str, *, at_least: bool = False) -> str:
    """Put the bounds into words: the one that decides, or both where neither does."""
    under, over = (upper < limit, lower >= limit) if at_least else (upper <= limit, lower > limit)
    if under:
        return f"surely under {number(upper, unit)}"
    if over:
        return f"surely over {number(lower, unit)}"
    return f"somewhere between {number(lower, unit)} and {number(upper, unit)}"


def share_of_traffic(traffic: Mapping[str, int]) -> str:
    """Return `blue 90 %, green 10 %`."""
    return ", ".join(f"{name} {percent} %" for name, percent in traffic.items() if percent)


def clock(at: datetime) -> str:
    """Return the time of day in UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S")
