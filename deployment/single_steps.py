"""Steps that run in a process of their own, and what each needs of those that other processes have gone."""

from deployment.golden import refuse_if_wrong
from deployment.outcomes import BadInputError
from deployment.phases import BEGUN, UNDER_TRAFFIC, Phase
from deployment.platform import require
from deployment.record import read_record
from deployment.release import Result
from deployment.rollout import Rollout


def smoke(rollout: Rollout) -> Result | None:
    """Ask the deployed candidate its golden requests; return how the release ended, None where it has not."""
    refuse_under_traffic(rollout)
    return rollout.run(lambda: require_ready(rollout), rollout.smoke)


def load(rollout: Rollout) -> Result | None:
    """Measure the candidate that was smoked; return how the release ended, None where it has not."""
    refuse_under_traffic(rollout)
    return rollout.run(lambda: require_ready(rollout), lambda: require_smoked(rollout), rollout.load)


def gate(rollout: Rollout) -> Result:
    """Judge what was measured; one that passes has not ended, but has a report to be read before traffic moves."""
    refuse_under_traffic(rollout)
    ended = rollout.run(
        lambda: require_ready(rollout),
        lambda: require_smoked(rollout),
        lambda: require_measured(rollout),
        rollout.gate,
    )
    return ended or rollout.passed()


def shift(rollout: Rollout) -> Result:
    """Move the traffic to the candidate that has passed."""
    ended = rollout.run(lambda: require_passed(rollout), rollout.shift, rollout.keep_live_warm)
    return ended or rollout.success()


def refuse_under_traffic(rollout: Rollout) -> None:
    """Raise BadInputError, before anything is written, where the release is beyond this step."""
    record = read_record(require(rollout.patient.observe()).tags)
    if record is not None and record.phase in UNDER_TRAFFIC:
        raise BadInputError(
            f"release {record.release_id}: it is {record.phase}, held by {record.holder}, and its traffic has begun to "
            "move; `python -m deployment resume` goes on with it, `abort` takes it back"
        )


def require_ready(rollout: Rollout) -> None:
    """See that the candidate is deployed and ready; raises BadInputError where it is not."""
    if rollout.journal.phase is not Phase.OBSERVED:
        return
    if not rollout.is_there():
        found = require(rollout.patient.observe()).deployments.get(rollout.candidate)
        state = f"{rollout.candidate} is {found.provisioning_state}" if found else f"there is no {rollout.candidate}"
        raise BadInputError(f"release {rollout.release.release_id}: {state} of this release; run `deploy` first")
    rollout.journal.enter(Phase.DEPLOYED, f"{rollout.candidate} is ready at 0 %, as deployed before")


def require_smoked(rollout: Rollout) -> None:
    """See that the candidate has answered its golden requests; raises BadInputError where nobody asked."""
    if rollout.journal.phase is not Phase.DEPLOYED:
        return
    results = rollout.evidence.read_smoke(rollout.release.image)
    if not results:
        raise BadInputError(f"smoke: {rollout.evidence.smoke_path} has no result of this image; run `smoke` first")
    refuse_if_wrong(results, rollout.candidate)
    rollout.journal.enter(Phase.SMOKED, f"{rollout.candidate} answered {len(results)} golden requests right, before")


def require_measured(rollout: Rollout) -> None:
    """See that there are rows of a load test; raises BadInputError where there are none."""
    if rollout.journal.phase is not Phase.SMOKED:
        return
    if not rollout.evidence.rows_path.exists():
        raise BadInputError(f"gate: {rollout.evidence.rows_path} does not exist; run `load` first")
    rollout.journal.enter(Phase.MEASURED, f"load was measured before: {rollout.evidence.rows_path.name}")


def require_passed(rollout: Rollout) -> None:
    """See that the endpoint has the gate's word; raises BadInputError where it has not."""
    if rollout.journal.phase is Phase.PASSED and not rollout.is_there():
        raise BadInputError(
            f"release {rollout.release.release_id}: {rollout.candidate} is not the deployment that has passed any "
            "more; run `deploy` first"
        )
    if rollout.journal.phase in BEGUN - {Phase.PASSED}:
        raise BadInputError(
            f"release {rollout.release.release_id}: the endpoint says that it is {rollout.hold.record.phase}, not "
            "passed; run `gate` first"
        )
