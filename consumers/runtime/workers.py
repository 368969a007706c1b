"""Threads that run a stage."""

import threading
from queue import SimpleQueue
from typing import Final

from consumers.runtime.flight import Done, Flight
from consumers.runtime.stage import Stage

JOIN_SECONDS: Final = 1.0
"""For threads that have nothing left to do. One that hangs in a stage is a daemon and dies with the process."""


class Workers:
    """Runs flights and hands each back through ``done``, from the worker's thread, in the order they end.

    The queue between is unbounded by itself: what is in flight is bounded where records are taken in.
    """

    def __init__(self, stage: Stage, *, threads: int, done: Done) -> None:
        self._stage = stage
        self._done = done
        self._queue: SimpleQueue[Flight | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{stage.name}-{index}", daemon=True)
            for index in range(threads)
        ]

    def start(self) -> None:
        """Returns at once; to be called once."""
        for thread in self._threads:
            thread.start()

    def submit(self, flight: Flight) -> None:
        """Queues one attempt. Never blocks."""
        self._queue.put(flight)

    def stop(self) -> None:
        """Lets idle threads go; whoever is in a stage is not waited for longer than a second in all."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))

    def _work(self) -> None:
        get, done, stage = self._queue.get, self._done, self._stage
        while (flight := get()) is not None:
            # A flight cancelled while it queued has lost its partition: running it would be wasted.
            if not flight.cancelled:
                flight.run(stage)
            done(flight)
