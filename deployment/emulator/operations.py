"""Long-running operations: started by a request, finished by a task, asked for by polling."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from deployment.emulator.clock import Clock
from deployment.emulator.entities import Operation, OperationStatus
from deployment.emulator.errors import NotFoundError, ProvisioningError
from deployment.emulator.store import Store

logger = logging.getLogger(__name__)


class Operations:
    """Runs the work behind long-running operations and records how each ended."""

    def __init__(self, store: Store, clock: Clock, workspace_id: str) -> None:
        self._store = store
        self._clock = clock
        self._workspace_id = workspace_id
        self._tasks: set[asyncio.Task[None]] = set()

    def new_id(self, prefix: str) -> str:
        """Answer an operation id in the platform's form, `<oeidp|odidp>:<workspace id>:<operation id>`."""
        return f"{prefix}:{self._workspace_id}:{uuid.uuid4()}"

    def start(self, operation_id: str, work: Callable[[], Awaitable[None]]) -> Operation:
        """Record the operation as in progress and begin its work; a ProvisioningError makes it Failed."""
        operation = Operation(operation_id, OperationStatus.IN_PROGRESS, self._clock.now())
        self._store.save_operation(operation)
        task = asyncio.get_running_loop().create_task(self._run(operation, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    def get(self, operation_id: str) -> Operation:
        """Answer the operation, or raise NotFoundError."""
        operation = self._store.operation(operation_id)
        if operation is None:
            raise NotFoundError(f"Operation '{operation_id}' not found.")
        return operation

    async def settle(self) -> None:
        """Return once every operation that is under way has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        """Cancel what is under way, as at the end of the emulator."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, operation: Operation, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
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

    def _end(self, operation: Operation, status: OperationStatus, code: str = "", message: str = "") -> None:
        ended = replace(operation, status=status, ended_at=self._clock.now(), error_code=code, error_message=message)
        self._store.save_operation(ended)
