"""Writes that go through only while nobody else has changed the endpoint: what stands in for the ETag it has not."""

from collections.abc import Mapping, Sequence

from deployment.outcomes import ConflictError
from deployment.platform import HOLDER_TAG, Routing
from deployment.record import OWN_TAGS


def without_record(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are not a release's."""
    return {name: value for name, value in tags.items() if name not in OWN_TAGS}


def refuse_if_changed(
    subject: str,
    found: Routing,
    tags: Mapping[str, str],
    expected: Sequence[Routing] | None,
    holders: Sequence[str] | None,
) -> None:
    """Raise ConflictError where somebody else has changed the endpoint since this release last looked."""
    if holders is not None and (now := tags.get(HOLDER_TAG, "")) not in holders:
        raise ConflictError(
            f"endpoint {subject}: it is held by {now or 'nobody'} where this release left it to "
            f"{holders[-1] or 'nobody'}; somebody else has begun to change it, so nothing more is done: "
            "`python -m deployment status`"
        )
    if expected is not None and found not in expected:
        raise ConflictError(
            f"endpoint {subject}: traffic is {found} where this release left "
            f"{' or '.join(dict.fromkeys(map(str, expected)))}; somebody else has changed it, so nothing more is done: "
            "`python -m deployment status`"
        )
