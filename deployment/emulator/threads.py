"""Threads for calls that block, of which a runtime has as many under way as it has instances."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

# Ending an instance takes its thread for as long as the grace period; the loop's own few threads would queue them.
MAX_THREADS = 64

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class Threads:
    """Runs blocking calls beside the event loop; its threads are made as they are needed."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix=name)

    async def run(self, call: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        """Answer what the call answers; one whose caller is cancelled goes on to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))
