"""Who serves, told as a table or as data."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.table import Table

from deployment.platform import (
    DEPLOYED_AT_TAG,
    IMAGE_TAG,
    MODEL_VERSION_TAG,
    RELEASE_ID_TAG,
    Deployment,
    Endpoint,
)
from deployment.record import Past, Record, digest_of, read_record, utc_now
from load.report_markup import plain
from load.report_markup import table as markdown_table

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
Row = tuple[str, ...]
STATUS_COLUMNS = ("deployment", "role", "traffic", "state", "instances", "model", "image", "release", "age")
HISTORY_COLUMNS = ("release", "ended as", "at", "deployment", "model", "image", "commit")


def endpoint_standing(endpoint: Endpoint) -> dict[str, Any]:
    """Return what `status --json` prints."""
    record = read_record(endpoint.tags)
    return {
        "endpoint": endpoint.name,
        "provisioning_state": endpoint.provisioning_state,
        "scoring_uri": endpoint.scoring_uri,
        "traffic": dict(endpoint.traffic),
        "mirror_traffic": dict(endpoint.mirror_traffic),
        "release": release_standing(record) if record else None,
        "deployments": [deployment_standing(endpoint, found, record) for found in in_order(endpoint)],
    }


def release_standing(record: Record) -> dict[str, Any]:
    return {
        "release_id": record.release_id,
        "phase": record.phase.value,
        "phase_at": record.at.isoformat(),
        "under_way": record.in_flight,
        "holder": record.holder,
        "leased_until": record.leased_until.isoformat(),
        "run_url": record.run_url or None,
        "kept": record.kept or None,
        "kept_until": record.kept_until.isoformat() if record.kept_until else None,
    }


def deployment_standing(endpoint: Endpoint, found: Deployment, record: Record | None) -> dict[str, Any]:
    tags = found.tags
    return {
        "name": found.name,
        "role": role_of(endpoint, found, record),
        "traffic_percent": endpoint.traffic.get(found.name, 0),
        "provisioning_state": found.provisioning_state,
        "instance_type": found.instance_type,
        "instance_count": found.instance_count,
        "image": tags.get(IMAGE_TAG),
        "model_version": tags.get(MODEL_VERSION_TAG),
        "release_id": tags.get(RELEASE_ID_TAG),
        "deployed_at": tags.get(DEPLOYED_AT_TAG),
    }


def status_table(endpoint: Endpoint) -> Iterator[str | Table]:
    """Yield the endpoint's line, the release's and a table of the deployments."""
    yield from status_lines(endpoint)
    table = Table(*STATUS_COLUMNS)
    for row in status_rows(endpoint):
        table.add_row(*row)
    yield table


def status_markdown(endpoint: Endpoint) -> str:
    """Return the same for a job's summary."""
    lines = (plain(line) for line in status_lines(endpoint))
    return "\n\n".join(["## Who serves", *lines, markdown_table(STATUS_COLUMNS, status_rows(endpoint))])


def status_lines(endpoint: Endpoint) -> Iterator[str]:
    record = read_record(endpoint.tags)
    yield f"{endpoint.name}: {endpoint.routing} ({endpoint.provisioning_state})"
    if record is not None:
        yield release_line(record)


def status_rows(endpoint: Endpoint) -> Iterator[Row]:
    record = read_record(endpoint.tags)
    for found in in_order(endpoint):
        tags = found.tags
        yield (
            found.name,
            role_of(endpoint, found, record),
            f"{endpoint.traffic.get(found.name, 0)} %",
            found.provisioning_state,
            f"{found.instance_count} x {found.instance_type}",
            tags.get(MODEL_VERSION_TAG, "?"),
            digest_of(tags.get(IMAGE_TAG, "")) or "?",
            tags.get(RELEASE_ID_TAG, "?"),
            age_of(tags.get(DEPLOYED_AT_TAG)),
        )


def release_line(record: Record) -> str:
    said = f"release {record.release_id}: {record.phase}, {age(record.at)} ago"
    if record.in_flight:
        said += f", held by {record.holder} until {record.leased_until:%H:%M:%S} UTC"
    elif record.keeps_warm(utc_now()):
        said += f"; {record.kept} stays warm until {record.kept_until:%Y-%m-%d %H:%M} UTC"
    return said


def role_of(endpoint: Endpoint, found: Deployment, record: Record | None) -> str:
    """Say what a deployment is to the release: live, candidate, warm or idle."""
    if record is not None and record.in_flight:
        return {record.live: "live", record.candidate: "candidate"}.get(found.name, "idle")
    if endpoint.live is not None and found.name == endpoint.live.name:
        return "live"
    return "warm" if record is not None and found.name == record.kept else "idle"


def history_table(past: tuple[Past, ...]) -> Table:
    """Return the releases that have ended, the latest first."""
    table = Table(*HISTORY_COLUMNS)
    for row in history_rows(past):
        table.add_row(*row)
    return table


def history_markdown(past: tuple[Past, ...]) -> str:
    """Return the same for a job's summary."""
    return f"## What was released\n\n{markdown_table(HISTORY_COLUMNS, history_rows(past))}"


def history_rows(past: tuple[Past, ...]) -> Iterator[Row]:
    for entry in past:
        at = f"{entry.finished_at:%Y-%m-%d %H:%M} UTC"
        yield (entry.release_id, entry.outcome, at, entry.deployment, entry.model_version, entry.image, entry.commit)


def in_order(endpoint: Endpoint) -> list[Deployment]:
    return [endpoint.deployments[name] for name in sorted(endpoint.deployments)]


def age_of(stamp: str | None) -> str:
    return age(datetime.fromisoformat(stamp)) if stamp else "?"


def age(since: datetime) -> str:
    """Return how long ago that was, in its largest unit."""
    seconds = int((utc_now() - since).total_seconds())
    for unit_s, name in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {name}"
    return f"{seconds} s"
