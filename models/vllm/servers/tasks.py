"""Several awaitables as one, and several callers of one."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


async def together(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """All results in order; the first failure cancels the rest, waits until they have ended, and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class Shared(Generic[Result]):
    """Work that is done once for all who ask for it while it is done. Belongs to one event loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        self._work = work
        self._running: asyncio.Task[Result] | None = None

    async def __call__(self) -> Result:
        """The result or the failure of what is running, else of a new run. Cancelling a caller cancels no run."""
        return await asyncio.shield(self.begun())

    def begun(self) -> asyncio.Task[Result]:
        """What is running, else a new run."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._work())
            self._running.add_done_callback(_looked_at)
        return self._running


def _looked_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # its callers may all have gone: asyncio would complain of a failure that nobody saw
