"""A start on the folder of an emulator that ended: what was under way is settled, what ran is started again."""

import logging
from dataclasses import replace

from deployment.emulator.clock import Clock
from deployment.emulator.colours import Colours
from deployment.emulator.entities import OperationStatus
from deployment.emulator.provisioning import Event, State, follow, wire_state
from deployment.emulator.store import Store

logger = logging.getLogger(__name__)
UNDER_WAY = frozenset({State.CREATING, State.UPDATING})
INTERRUPTED = "The emulator ended while the operation was under way."


def recover(store: Store, colours: Colours, clock: Clock) -> None:
    """Make Failed what was being created or changed, finish what was being deleted, start in the background what ran.

    A deployment whose change was interrupted runs as it did before, as after any failed change.
    """
    for operation in store.operations():
        if operation.status is OperationStatus.IN_PROGRESS:
            ended = replace(operation, status=OperationStatus.FAILED, ended_at=clock.now())
            store.save_operation(replace(ended, error_code="InternalServerError", error_message=INTERRUPTED))
    for endpoint in store.endpoints():
        _settle_deployments(store, endpoint.name)
        if endpoint.state is State.DELETING:
            for deployment in store.deployments(endpoint.name):
                _forget_deployment(store, endpoint.name, deployment.name)
            store.remove_endpoint(endpoint.name)
        elif endpoint.state in UNDER_WAY:
            failed = replace(endpoint, state=follow(endpoint.name, endpoint.state, Event.FAULT))
            store.save_endpoint(failed)
            logger.warning("endpoint %s: %s; %s", endpoint.name, wire_state(failed.state), INTERRUPTED)
    colours.resume()


def _settle_deployments(store: Store, endpoint_name: str) -> None:
    for deployment in store.deployments(endpoint_name):
        if deployment.state is State.DELETING:
            _forget_deployment(store, endpoint_name, deployment.name)
        elif deployment.state in UNDER_WAY:
            failed = replace(deployment, state=follow(deployment.name, deployment.state, Event.FAULT))
            store.save_deployment(failed)
            logger.warning(
                "deployment %s of %s: %s; %s", deployment.name, endpoint_name, wire_state(failed.state), INTERRUPTED
            )


def _forget_deployment(store: Store, endpoint_name: str, name: str) -> None:
    store.running.remove(endpoint_name, name)
    store.remove_deployment(endpoint_name, name)
