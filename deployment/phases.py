"""The phases of a release, each a statement about the world, and the only ways from one to the next."""

from enum import StrEnum


class Phase(StrEnum):
    """What is true of the endpoint."""

    OBSERVED = "observed"  # its traffic and deployments have been read; nothing has been touched
    DEPLOYED = "deployed"  # the candidate is ready at 0 %
    SMOKED = "smoked"  # the candidate has answered its golden requests right
    MEASURED = "measured"  # live and candidate have answered the same requests in the same minutes
    PASSED = "passed"  # the gate holds nothing against the candidate
    SHIFTING = "shifting"  # the candidate may have a part of the traffic
    PROMOTED = "promoted"  # the candidate has all traffic, verified
    REFUSED = "refused"  # the candidate never had traffic; live has what it had
    ROLLED_BACK = "rolled_back"  # the candidate had traffic; live has what it had before, verified
    FROZEN = "frozen"  # no safe direction is known; whoever serves goes on serving


TRANSITIONS: dict[Phase, dict[Phase, str]] = {
    Phase.OBSERVED: {
        Phase.DEPLOYED: "candidate became ready",
        Phase.REFUSED: "candidate did not become ready",
    },
    Phase.DEPLOYED: {
        Phase.SMOKED: "golden requests answered right",
        Phase.REFUSED: "a golden request answered wrongly",
    },
    Phase.SMOKED: {
        Phase.MEASURED: "paired load has run",
        Phase.SHIFTING: "first release: nothing to compare with",
        Phase.REFUSED: "load could not be measured",
    },
    Phase.MEASURED: {
        Phase.PASSED: "verdict PASS",
        Phase.REFUSED: "verdict FAIL, INCONCLUSIVE or INVALID",
    },
    Phase.PASSED: {Phase.SHIFTING: "first step"},
    Phase.SHIFTING: {
        Phase.SHIFTING: "split verified, no breach",
        Phase.PROMOTED: "100 % verified",
        Phase.ROLLED_BACK: "any breach",
        Phase.FROZEN: "breach, and live cannot take the traffic",
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
