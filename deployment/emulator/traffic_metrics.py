"""What clients of the data plane got, counted as Prometheus does."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

BOUNDS_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
REQUESTS = "emulator_requests_total"
DURATION = "emulator_request_duration_seconds"
TRAFFIC = "emulator_traffic_percent"
Traffic = Mapping[str, Mapping[str, int]]


class TrafficMetrics:
    """Requests by endpoint, deployment and status, and how long they took from the client's side."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_S) + 1))
        self._sums_s: dict[tuple[str, str], float] = defaultdict(float)

    def note(self, endpoint: str, deployment: str, status: int, duration_s: float) -> None:
        """Count an answer of a deployment that exists."""
        self._requests[endpoint, deployment, status] += 1
        self._counts[endpoint, deployment][bisect_left(BOUNDS_S, duration_s)] += 1
        self._sums_s[endpoint, deployment] += duration_s

    def text(self, traffic: Traffic) -> str:
        """Answer all of it in Prometheus' text format, with the shares that endpoints say: name -> deployment -> %."""
        return "\n".join([*self._lines(traffic), ""])

    def _lines(self, traffic: Traffic) -> Iterator[str]:
        yield f"# HELP {REQUESTS} Answers by endpoint, deployment and status"
        yield f"# TYPE {REQUESTS} counter"
        for (endpoint, deployment, status), count in sorted(self._requests.items()):
            yield f'{REQUESTS}{{{_labels(endpoint, deployment)},status="{status}"}} {count}'
        yield f"# HELP {DURATION} Time from a request's first byte to its answer"
        yield f"# TYPE {DURATION} histogram"
        for (endpoint, deployment), counts in sorted(self._counts.items()):
            of_both = _labels(endpoint, deployment)
            for index, bound in enumerate([*(f"{each:g}" for each in BOUNDS_S), "+Inf"]):
                yield f'{DURATION}_bucket{{{of_both},le="{bound}"}} {sum(counts[: index + 1])}'
            yield f"{DURATION}_sum{{{of_both}}} {self._sums_s[endpoint, deployment]}"
            yield f"{DURATION}_count{{{of_both}}} {sum(counts)}"
        yield f"# HELP {TRAFFIC} A deployment's share of its endpoint's traffic"
        yield f"# TYPE {TRAFFIC} gauge"
        for endpoint, shares in sorted(traffic.items()):
            for deployment, percent in sorted(shares.items()):
                yield f"{TRAFFIC}{{{_labels(endpoint, deployment)}}} {percent}"


def _labels(endpoint: str, deployment: str) -> str:
    return f'endpoint="{endpoint}",deployment="{deployment}"'
