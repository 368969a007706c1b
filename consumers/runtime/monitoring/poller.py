"""A thread that polls an external service periodically."""

import threading
from collections.abc import Callable, Iterator


class Poller:
    """Thread that runs the generator ``polls``: it polls once, then yields the seconds until the next poll.

    After a None the thread waits until ``wake``. A poll may block, and must not raise: that ends the thread. Local
    variables of the generator, such as a client, are released when the thread ends.
    """

    def __init__(self, name: str, polls: Callable[[], Iterator[float | None]]) -> None:
        self._polls = polls
        self._wake = threading.Event()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread. Returns at once; call it once."""
        self._thread.start()

    def wake(self) -> None:
        """End the wait, or skip the next one. From any thread; never blocks; safe to repeat."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread, but do not wait for a poll in progress. Never blocks; safe to repeat."""
        self._is_stopped = True
        self._wake.set()

    def _run(self) -> None:
        for wait_seconds in self._polls():
            self._wake.wait(wait_seconds)
            self._wake.clear()
            if self._is_stopped:
                return
