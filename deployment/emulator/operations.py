"""Long-running operations: started by a request, finished by a task, asked for by polling."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from deployment.emulator.clock import Clock
from deployment.emulator.entities import Operation, OperationStatus
from deployment.emulator.errors import CanceledError, NotFoundError, ProvisioningError
from deployment.emulator.faults import ControlFault, EndOperation, Faults, PlacedFault, When
from deployment.emulator.store import Store

logger = logging.getLogger(__name__)
Work = Callable[[], Awaitable[None]]


class Operations:
    """Runs the work behind long-running operations and records how each ended.

    Each takes duration_s on the clock before its work begins, as all but the fastest of the platform's do.
    """

    def __init__(
        self, store: Store, clock: Clock, workspace_id: str, faults: Faults | None = None, duration_s: float = 0.0
    ) -> None:
        self._store = store
        self._clock = clock
        self._workspace_id = workspace_id
        self._faults = faults or Faults()
        self._duration_s = duration_s
        self._tasks: set[asyncio.Task[None]] = set()

    def new_id(self, prefix: str) -> str:
        """Answer an operation id in the platform's form, `<oeidp|odidp>:<workspace id>:<operation id>`."""
        return f"{prefix}:{self._workspace_id}:{uuid.uuid4()}"

    def start(
        self,
        operation_id: str,
        work: Work,
        *,
        call: str = "",
        resource: str = "",
        undo: Callable[[], None] = lambda: None,
    ) -> Operation:
        """Record the operation as in progress and begin its work.

        call and resource say what started it. When the work does not end well, undo is called; a ProvisioningError
        makes the operation Failed, a CanceledError Canceled.
        """
        operation = Operation(operation_id, OperationStatus.IN_PROGRESS, self._clock.now(), resource=resource)
        self._store.save_operation(operation)
        fault = self._faults.for_operation(call, resource)
        task = asyncio.get_running_loop().create_task(self._run(operation, work, undo, fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    def get(self, operation_id: str) -> Operation:
        """Answer the operation, or raise NotFoundError."""
        operation = self._store.operation(operation_id)
        if operation is None:
            raise NotFoundError(f"Operation '{operation_id}' not found.")
        return operation

    def resource(self, operation_id: str) -> str:
        """Answer what the operation is about, empty when there is none."""
        operation = self._store.operation(operation_id)
        return operation.resource if operation else ""

    async def settle(self) -> None:
        """Return once every operation that is under way has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        """Cancel what is under way, as at the end of the emulator."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, operation: Operation, work: Work, undo: Callable[[], None], fault: PlacedFault | None) -> None:
        try:
            await self._work(work, undo, fault)
        except CanceledError as error:
            self._end(operation, OperationStatus.CANCELED, error.code, error.message)
        except ProvisioningError as error:
            self._end(operation, OperationStatus.FAILED, error.code, error.message)
        except asyncio.CancelledError:
            self._end(operation, OperationStatus.CANCELED, "OperationCanceled", "The operation was canceled.")
            raise
        except Exception as error:  # an emulator fault must end the operation, or the SDK polls for ever
            logger.exception("operation %s failed inside the emulator", operation.id)
            self._end(operation, OperationStatus.FAILED, "InternalServerError", f"emulator: {error}")
        else:
            self._end(operation, OperationStatus.SUCCEEDED)

    async def _work(self, work: Work, undo: Callable[[], None], fault: PlacedFault | None) -> None:
        try:
            if self._duration_s > 0:
                await self._clock.sleep(self._duration_s)
            await _strike(fault, When.BEFORE)
            await work()
        except Exception:
            undo()
            raise
        await _strike(fault, When.AFTER)

    def _end(self, operation: Operation, status: OperationStatus, code: str = "", message: str = "") -> None:
        ended = replace(operation, status=status, ended_at=self._clock.now(), error_code=code, error_message=message)
        self._store.save_operation(ended)


async def _strike(placed: PlacedFault | None, when: When) -> None:
    if placed is None or not isinstance(placed.fault, ControlFault) or placed.fault.when is not when:
        return
    effect = placed.fault.effect
    if not isinstance(effect, EndOperation):
        return
    if effect.ends == "Never":
        await placed.lifted.wait()
    elif effect.ends == "Canceled":
        raise CanceledError(effect.message)
    else:
        raise ProvisioningError(effect.code, effect.message)
