"""What GitHub sends with each event, as far as the workflows read it."""

from typing import Any

from tests.lib.act import Event
from tests.lib.fork import NAME


def repository(visibility: str) -> dict[str, Any]:
    return {"full_name": NAME, "visibility": visibility, "default_branch": "main"}


def push(visibility: str = "public") -> Event:
    return Event("push", {"ref": "refs/heads/main", "repository": repository(visibility)})


def schedule(visibility: str = "public") -> Event:
    return Event("schedule", {"schedule": "17 * * * *", "repository": repository(visibility)})


def dispatch(inputs: dict[str, str], visibility: str = "private", ref: str = "refs/heads/main") -> Event:
    """A run that somebody started; inputs are texts, as act takes the JSON value true for false."""
    return Event("workflow_dispatch", {"ref": ref, "inputs": inputs, "repository": repository(visibility)})


def merge_group(base: str, head: str) -> Event:
    """A merge queue's try."""
    group = {"base_ref": "refs/heads/main", "base_sha": base, "head_ref": "refs/heads/gh-readonly-queue/main/pr-7"}
    document = {
        "action": "checks_requested",
        "merge_group": {**group, "head_sha": head},
        "repository": repository("public"),
    }
    return Event("merge_group", document)


def pull_request(number: int, base: str, head: str, *, of: str = NAME) -> Event:
    """A pull request; `of` is the repository that its branch is in."""
    document = {
        "number": number,
        "base": {"ref": "main", "sha": base, "repo": {"full_name": NAME}},
        "head": {"ref": "topic", "sha": head, "repo": {"full_name": of, "fork": of != NAME}},
        "title": "A quicker server",
    }
    return Event(
        "pull_request",
        {"action": "opened", "number": number, "pull_request": document, "repository": repository("public")},
    )
