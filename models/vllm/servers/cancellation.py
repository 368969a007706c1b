"""Ends work that is no longer wanted. One timer looks for all of it: hundreds of requests that each woke to look
for themselves would take the processor from those that have an answer to read."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from schemas.errors import JobCancelled

LOOK_SECONDS: Final = 0.1

Result = TypeVar("Result")


class Withdrawals:
    """Which jobs are worked on, and whether they are still wanted. Belongs to one event loop."""

    def __init__(self) -> None:
        self._watched: set[_Watched] = set()
        self._next: asyncio.TimerHandle | None = None

    async def unless(self, cancelled: Callable[[], bool], work: Awaitable[Result]) -> Result:
        """What the work comes to. JobCancelled once ``cancelled`` is true and the work has ended.

        Within ``LOOK_SECONDS``; what ``cancelled`` raises ends the work too, and is raised. Used once per task.
        """
        watched = _Watched(cast("asyncio.Task[Any]", asyncio.current_task()), cancelled)
        self._watched.add(watched)
        self._next = self._next or asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if watched.ended_by is None:
                raise
            raise watched.ended_by from None
        finally:
            self._watched.discard(watched)

    def _look(self) -> None:
        for watched in tuple(self._watched):
            watched.look()
        looking = asyncio.get_running_loop()
        self._next = looking.call_later(LOOK_SECONDS, self._look) if self._watched else None


@dataclass(eq=False, slots=True)
class _Watched:
    task: asyncio.Task[Any]
    cancelled: Callable[[], bool]
    ended_by: Exception | None = None

    def look(self) -> None:
        if self.ended_by is not None:
            return
        try:
            if not self.cancelled():
                return
            self.ended_by = JobCancelled("the job was withdrawn while the language model worked on it")
        except Exception as failed:  # noqa: BLE001 - the caller's own, and raised where it waits
            self.ended_by = failed
        self.task.cancel()
