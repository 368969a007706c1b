"""An event loop for callers that are not asynchronous."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class EventLoopThread:
    """An event loop in its own thread, from construction until ``close``."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Start work on the loop. Callable from any other thread; does not block."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self, release: Callable[[], Awaitable[None]]) -> None:
        """Cancel all work, release what it used, and end the thread. Blocks until then. Safe to repeat."""
        if self._loop.is_closed():
            return
        self.submit(self._end(release)).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self, release: Callable[[], Awaitable[None]]) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await release()
        await self._loop.shutdown_default_executor()
