"""Who holds a job in this process, and for whom."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from consumers.in_flight import WISHES_LIMIT, InFlight
from schemas.errors import JobCancelled
from schemas.records import Coordinates
from tests.waiting import eventually

FIRST, SECOND = Coordinates("t", 0, 1), Coordinates("t", 0, 2)


def no() -> bool:
    """Neither cancelled nor withdrawn."""
    return False


def test_who_comes_while_a_job_is_abandoned_waits_and_begins_it_anew() -> None:
    """A wish that arrives between the last withdrawal and the attempt's end is not lost."""
    in_flight = InFlight()
    gone = threading.Event()
    waiting = threading.Event()

    def second() -> bool:
        waiting.set()
        with in_flight.claim("j", SECOND, cancelled=no, withdrawn=no) as holding:
            return holding is not None

    with ThreadPoolExecutor(1) as threads, ExitStack() as held:
        holding = held.enter_context(in_flight.claim("j", FIRST, cancelled=no, withdrawn=gone.is_set))
        assert holding is not None
        gone.set()
        assert holding.withdrawn()
        claimed = threads.submit(second)
        eventually(waiting.is_set, timeout_seconds=30)
        assert not claimed.done()
        held.close()
        assert claimed.result(timeout=30)


def test_a_job_that_very_many_asked_for_runs_to_its_end() -> None:
    """What is remembered of them is bounded: beyond it nobody's wish is lost, and the work is not saved."""
    in_flight = InFlight()
    with in_flight.claim("j", FIRST, cancelled=no, withdrawn=lambda: True) as holding:
        assert holding is not None
        for number in range(WISHES_LIMIT):
            with in_flight.claim("j", Coordinates("t", 1, number), cancelled=no, withdrawn=lambda: True) as other:
                assert other is None
        assert not holding.withdrawn()


def test_work_that_is_not_withdrawn_passes_its_cancellation_on() -> None:
    """Whoever shuts down what the work needs has not withdrawn the job."""

    def work() -> str:
        raise JobCancelled("shut down")

    with InFlight().claim("j", FIRST, cancelled=no, withdrawn=no) as holding:
        assert holding is not None
        with pytest.raises(JobCancelled, match="shut down"):
            holding.unless_withdrawn(work)
