"""Asyncio tasks: gathered, shared by several callers, and cancelled with their job."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from schemas.errors import JobCancelled

POLL_SECONDS: Final = 0.1

Result = TypeVar("Result")


async def gather_or_cancel(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """Return all results in order. The first failure cancels the rest, and is raised when they have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class SingleFlight(Generic[Result]):
    """Work that runs once for all callers that request it while it runs. Belongs to one event loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> None:
        self._work = work
        self._running: asyncio.Task[Result] | None = None

    async def __call__(self) -> Result:
        """Await the running task, else a new one; raise what it raises. A cancelled caller leaves it running."""
        return await asyncio.shield(self.start())

    def start(self) -> asyncio.Task[Result]:
        """Start the work unless it is running; return its task."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._work())
            self._running.add_done_callback(_retrieve_exception)
        return self._running


class CancellationWatch:
    """Cancels the tasks of cancelled jobs. Belongs to one event loop.

    One timer polls for all of them: hundreds of requests that each woke up to check would take processor time
    from those that have a reply to read.
    """

    def __init__(self) -> None:
        self._watched: set[_Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Awaitable[Result], cancelled: Callable[[], bool]) -> Result:
        """Await the work. Raises JobCancelled once ``cancelled`` returns true and the work has ended.

        Takes up to ``POLL_SECONDS`` to notice. An exception from ``cancelled`` ends the work too, and is raised.
        Call it once per task.
        """
        watched = _Watched(cast("asyncio.Task[Any]", asyncio.current_task()), cancelled)
        self._watched.add(watched)
        self._timer = self._timer or asyncio.get_running_loop().call_later(POLL_SECONDS, self._poll)
        try:
            return await work
        except asyncio.CancelledError:
            if watched.ended_by is None:
                raise
            raise watched.ended_by from None
        finally:
            self._watched.discard(watched)

    def _poll(self) -> None:
        for watched in tuple(self._watched):
            watched.poll()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(POLL_SECONDS, self._poll) if self._watched else None


@dataclass(eq=False, slots=True)
class _Watched:
    task: asyncio.Task[Any]
    cancelled: Callable[[], bool]
    ended_by: Exception | None = None

    def poll(self) -> None:
        if self.ended_by is not None:
            return
        try:
            if not self.cancelled():
                return
            self.ended_by = JobCancelled("the job was cancelled while the language model worked on it")
        except Exception as failed:  # noqa: BLE001 - from the caller's own function, and raised to that caller
            self.ended_by = failed
        self.task.cancel()


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # every caller may be gone: asyncio would log an exception that was never retrieved
