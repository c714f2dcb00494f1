"""The life of an endpoint or a deployment: states, events and the table of what may follow what."""

from collections.abc import Mapping
from enum import StrEnum

from deployment.emulator.errors import AzureError, BadRequestError, ConflictError


class State(StrEnum):
    """What is true of an endpoint or a deployment."""

    ABSENT = "Absent"  # it does not exist
    CREATING = "Creating"  # it exists, nothing of it has worked yet
    CREATION_FAILED = "CreationFailed"  # its first operation failed; only deleting it helps
    SUCCEEDED = "Succeeded"  # what was asked for is what runs
    UPDATING = "Updating"  # what ran before still runs while the change is made
    UPDATE_FAILED = "UpdateFailed"  # a change failed; what ran before still runs
    DELETING = "Deleting"  # it serves nothing any more


class Event(StrEnum):
    """What happens to an endpoint or a deployment."""

    PUT = "put"
    DELETE = "delete"
    DONE = "done"
    FAULT = "fault"


TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.ABSENT, Event.PUT): State.CREATING,
    (State.CREATING, Event.DONE): State.SUCCEEDED,
    (State.CREATING, Event.FAULT): State.CREATION_FAILED,
    (State.SUCCEEDED, Event.PUT): State.UPDATING,
    (State.UPDATE_FAILED, Event.PUT): State.UPDATING,
    (State.UPDATING, Event.DONE): State.SUCCEEDED,
    (State.UPDATING, Event.FAULT): State.UPDATE_FAILED,
    (State.SUCCEEDED, Event.DELETE): State.DELETING,
    (State.UPDATE_FAILED, Event.DELETE): State.DELETING,
    (State.CREATION_FAILED, Event.DELETE): State.DELETING,
    (State.DELETING, Event.DONE): State.ABSENT,
}

# The platform has one word for both failures.
WIRE_STATES: Mapping[State, str] = {State.CREATION_FAILED: "Failed", State.UPDATE_FAILED: "Failed"}


def follow(subject: str, state: State, event: Event) -> State:
    """Answer the state after the event, or raise the platform's refusal: ConflictError or BadRequestError."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise _refusal(subject, state, event)
    return after


def wire_state(state: State) -> str:
    """Answer the state as `provisioningState` has it."""
    return WIRE_STATES.get(state, state.value)


def _refusal(subject: str, state: State, event: Event) -> AzureError:
    if state is State.CREATION_FAILED:
        return BadRequestError(
            f"Specified deployment [{subject}] failed during initial provisioning and is in an unrecoverable state."
            " Delete and re-create.",
            code="InferencingClientCallFailed",
        )
    return ConflictError(
        f"{subject}: cannot {event.value} while another operation is under way"
        f" (provisioningState {wire_state(state)} vs Succeeded or Failed); wait for it to end"
    )
