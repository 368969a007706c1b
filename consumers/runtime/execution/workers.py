"""Threads that run a stage."""

import threading
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final

from consumers.runtime.flight import Done, Flight
from consumers.runtime.stage import Stage
from schemas.kafka.lanes import lane_of
from schemas.options import Lane

JOIN_SECONDS: Final = 1.0
"""For threads that have nothing left to do. One that hangs in a stage is a daemon and dies with the process."""

BULK_TURN: Final = 8
"""Every eighth flight is a bulk one while interactive ones wait, so that neither lane starves the other."""

_EVERY_LANE: Final = (Lane.INTERACTIVE, Lane.BULK)
_BULK_FIRST: Final = (Lane.BULK, Lane.INTERACTIVE)
_INTERACTIVE_ONLY: Final = (Lane.INTERACTIVE,)


class Workers:
    """Runs flights and hands each back through ``done``, from the worker's thread, in the order they end.

    Interactive flights go before bulk ones. Beyond ``threads`` there is one thread in eight for them alone: bulk
    flights may last for hours, and hold all the others.

    The queues between are unbounded by themselves: what is in flight is bounded where records are taken in.
    """

    def __init__(self, stage: Stage, *, threads: int, done: Done) -> None:
        self._stage = stage
        self._done = done
        self._lines: dict[Lane, SimpleQueue[Flight]] = {lane: SimpleQueue() for lane in Lane}
        self._turns = count(1)
        # A ticket lets a thread look once; there is one for every flight, or more. False ends the thread.
        self._tickets: SimpleQueue[bool] = SimpleQueue()
        self._reserved_tickets: SimpleQueue[bool] = SimpleQueue()
        tickets = [self._tickets] * threads + [self._reserved_tickets] * max(1, threads // 8)
        self._threads = [
            threading.Thread(target=self._work, args=(mine,), name=f"{stage.name}-{index}", daemon=True)
            for index, mine in enumerate(tickets)
        ]
        self._ends = tickets

    def start(self) -> None:
        """Returns at once; to be called once."""
        for thread in self._threads:
            thread.start()

    def submit(self, flight: Flight) -> None:
        """Queues one attempt. Never blocks."""
        lane = lane_of(flight.record)
        self._lines[lane].put(flight)
        self._tickets.put(True)
        if lane is Lane.INTERACTIVE:
            self._reserved_tickets.put(True)

    def stop(self) -> None:
        """Lets idle threads go; whoever is in a stage is not waited for longer than a second in all."""
        for tickets in self._ends:
            tickets.put(False)
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))

    def _work(self, tickets: SimpleQueue[bool]) -> None:
        reserved = tickets is self._reserved_tickets
        get, done, stage = tickets.get, self._done, self._stage
        while get():
            flight = self._next(_INTERACTIVE_ONLY if reserved else self._order())
            if flight is None:
                continue
            # A flight cancelled while it queued has lost its partition: running it would be wasted.
            if not flight.cancelled:
                flight.run(stage)
            done(flight)

    def _order(self) -> tuple[Lane, ...]:
        return _BULK_FIRST if next(self._turns) % BULK_TURN == 0 else _EVERY_LANE

    def _next(self, lanes: tuple[Lane, ...]) -> Flight | None:
        for lane in lanes:
            try:
                return self._lines[lane].get_nowait()
            except Empty:
                continue
        return None
