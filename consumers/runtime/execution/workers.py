"""Threads that run a stage."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from consumers.runtime.execution import job_log
from consumers.runtime.execution.descriptors import shortage
from consumers.runtime.execution.record_span import begin_attempt, end_attempt
from consumers.runtime.partition import NOTHING_BOUND, Flight
from consumers.runtime.ports import Stage
from schemas.kafka.lanes import lane_of
from schemas.kafka.records import OutgoingRecord
from schemas.monitoring.active_span import ActiveSpan
from schemas.monitoring.tracing import entered
from schemas.options import Lane

JOIN_SECONDS: Final = 1.0
"""For idle threads to end. A thread that hangs in a stage is a daemon, and ends with the process."""

BULK_TURN: Final = 8
"""While both lanes wait, every eighth flight is a bulk one, so that neither lane starves the other."""

_EVERY_LANE: Final = (Lane.INTERACTIVE, Lane.BULK)
_BULK_FIRST: Final = (Lane.BULK, Lane.INTERACTIVE)
_INTERACTIVE_ONLY: Final = (Lane.INTERACTIVE,)


class Workers:
    """Runs flights and hands each back through ``done``, from the worker's thread, in the order they end.

    Interactive flights go before bulk ones. Beyond ``threads``, an eighth as many threads run interactive flights
    only: bulk flights may occupy all the others for hours.

    The queues are unbounded by themselves: intake bounds what is in flight.
    """

    def __init__(self, stage: Stage, *, threads: int, done: Callable[[Flight], None]) -> None:
        self._stage = stage
        self._done = done
        self._lines: dict[Lane, SimpleQueue[Flight]] = {lane: SimpleQueue() for lane in Lane}
        self._turns = count(1)
        # A ticket lets a thread take one flight; there is one for every flight, or more. False ends the thread.
        self._tickets: SimpleQueue[bool] = SimpleQueue()
        self._reserved_tickets: SimpleQueue[bool] = SimpleQueue()
        self._tickets_of_threads = [self._tickets] * threads + [self._reserved_tickets] * max(1, threads // 8)
        self._threads = [
            threading.Thread(target=self._work, args=(tickets,), name=f"{stage.name}-{index}", daemon=True)
            for index, tickets in enumerate(self._tickets_of_threads)
        ]

    def start(self) -> None:
        """Start the threads. Returns at once; call it once."""
        for thread in self._threads:
            thread.start()

    def submit(self, flight: Flight) -> None:
        """Queue one attempt. Never blocks."""
        lane = lane_of(flight.record)
        self._lines[lane].put(flight)
        self._tickets.put(True)
        if lane is Lane.INTERACTIVE:
            self._reserved_tickets.put(True)

    def stop(self) -> None:
        """End the idle threads. Blocks for JOIN_SECONDS in all, then leaves those that are in a stage."""
        for tickets in self._tickets_of_threads:
            tickets.put(False)
        for thread in self._threads:
            thread.join(JOIN_SECONDS / len(self._threads))

    def next_flight(self, lanes: Sequence[Lane] = _EVERY_LANE) -> Flight | None:
        """Take the next flight of the first lane that has one. Never blocks."""
        for lane in lanes:
            try:
                return self._lines[lane].get_nowait()
            except Empty:
                continue
        return None

    def _work(self, tickets: SimpleQueue[bool]) -> None:
        reserved = tickets is self._reserved_tickets
        get, done, stage = tickets.get, self._done, self._stage
        while get():
            flight = self.next_flight(_INTERACTIVE_ONLY if reserved else self._order())
            if flight is None:
                continue
            # A flight cancelled in the queue has lost its partition: running it would be wasted.
            if not flight.cancelled:
                run_attempt(flight, stage)
            done(flight)

    def _order(self) -> tuple[Lane, ...]:
        return _BULK_FIRST if next(self._turns) % BULK_TURN == 0 else _EVERY_LANE


def run_attempt(flight: Flight, stage: Stage) -> None:
    """Run one attempt in the caller's thread. Blocks as long as the stage does; never raises."""
    began = time.perf_counter()
    flight.begin()
    outputs: Sequence[OutgoingRecord] = ()
    failure: BaseException | None = None
    bound = NOTHING_BOUND
    attempt: ActiveSpan | None = None
    job_log.enter(flight)
    try:
        job = flight.as_job()
        if flight.span is None:
            outputs = stage.process(job)
        else:
            attempt = begin_attempt(flight.span, flight)
            with entered(attempt):
                outputs = stage.process(job)
    except BaseException as error:  # noqa: BLE001 - whatever a stage raises is an outcome; the owner decides
        failure = shortage(error)
        bound = structlog.contextvars.get_contextvars()
    if flight.span is not None and attempt is not None:
        end_attempt(flight.span, attempt, flight, failure)
    job_log.leave()
    # What the stage bound, such as the job's id, belongs to this job alone.
    structlog.contextvars.clear_contextvars()
    flight.end(outputs, failure, time.perf_counter() - began, bound)
