"""The phases of a release, each a statement about the world, and the only ways from one to the next."""

from enum import StrEnum


class Phase(StrEnum):
    """What is true of the endpoint."""

    OBSERVED = "observed"  # its traffic and deployments have been read, and the release holds it
    DEPLOYED = "deployed"  # the candidate is ready at 0 %
    SMOKED = "smoked"  # the candidate has answered its golden requests right
    MEASURED = "measured"  # the candidate has answered under load, beside live where there is one
    PASSED = "passed"  # the gate holds nothing against the candidate
    SHIFTING = "shifting"  # the candidate may have a part of the traffic
    PROMOTED = "promoted"  # the candidate has all traffic, verified; live stays warm for the way back
    DONE = "done"  # the way back is closed: nothing but the candidate is kept
    REFUSED = "refused"  # the candidate never had traffic; live has what it had
    ROLLING_BACK = "rolling_back"  # the traffic goes back to where it was
    ROLLED_BACK = "rolled_back"  # live has what it had before, verified
    FROZEN = "frozen"  # no safe direction is known; whoever serves goes on serving


# Nobody holds the endpoint of a release in one of these.
ENDED = frozenset({Phase.PROMOTED, Phase.DONE, Phase.REFUSED, Phase.ROLLED_BACK})
# Begun, and nothing of the traffic has moved.
BEGUN = frozenset({Phase.OBSERVED, Phase.DEPLOYED, Phase.SMOKED, Phase.MEASURED, Phase.PASSED})
# The candidate may have traffic, and the way back is more than leaving it at 0 %.
UNDER_TRAFFIC = frozenset({Phase.SHIFTING, Phase.ROLLING_BACK, Phase.FROZEN})

TOLD_TO_STOP = "stopped, or the platform refused"
CHANGED = "somebody else has changed the endpoint"
TRANSITIONS: dict[Phase, dict[Phase, str]] = {
    Phase.OBSERVED: {
        Phase.DEPLOYED: "candidate became ready",
        Phase.REFUSED: f"candidate did not become ready; {TOLD_TO_STOP}",
        Phase.FROZEN: CHANGED,
    },
    Phase.DEPLOYED: {
        Phase.SMOKED: "golden requests answered right",
        Phase.REFUSED: f"a golden request answered wrongly; {TOLD_TO_STOP}",
        Phase.FROZEN: CHANGED,
    },
    Phase.SMOKED: {
        Phase.MEASURED: "load has run",
        Phase.REFUSED: f"load could not be measured; {TOLD_TO_STOP}",
        Phase.FROZEN: CHANGED,
    },
    Phase.MEASURED: {
        Phase.PASSED: "verdict PASS",
        Phase.REFUSED: f"verdict FAIL, INCONCLUSIVE or INVALID; {TOLD_TO_STOP}",
        Phase.FROZEN: CHANGED,
    },
    Phase.PASSED: {
        Phase.SHIFTING: "first step",
        Phase.DEPLOYED: "resumed, and the candidate was gone",
        Phase.ROLLING_BACK: "stopped before the first step was set",
        Phase.REFUSED: f"the way back is not open; {TOLD_TO_STOP}",
        Phase.FROZEN: CHANGED,
    },
    Phase.SHIFTING: {
        Phase.SHIFTING: "split verified, no breach",
        Phase.PROMOTED: "100 % verified",
        Phase.ROLLING_BACK: "any breach, error or signal",
        Phase.FROZEN: CHANGED,
    },
    Phase.ROLLING_BACK: {
        Phase.ROLLING_BACK: "resumed",
        Phase.ROLLED_BACK: "verified",
        Phase.FROZEN: "live cannot take the traffic, or is not seen to",
    },
    Phase.FROZEN: {Phase.ROLLING_BACK: "resume or abort"},
    Phase.PROMOTED: {
        Phase.DONE: "finish, when the time is over",
        Phase.ROLLING_BACK: "rollback",
    },
}


def may_follow(phase: Phase, following: Phase) -> bool:
    """Tell whether the table allows this step."""
    return following in TRANSITIONS.get(phase, {})


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram (docs/release.md holds it)."""
    arrows = [
        f"    {phase} --> {following}: {why}" for phase, ways in TRANSITIONS.items() for following, why in ways.items()
    ]
    ends = [f"    {phase} --> [*]" for phase in Phase if phase not in TRANSITIONS]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Phase.OBSERVED}", *arrows, *ends])
