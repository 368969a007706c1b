"""Who holds a job in this process, and for whom."""

from contextlib import ExitStack

import pytest

from consumers.once import WISHES_LIMIT, Holding, InFlight
from consumers.runtime.stage import FollowsAnother
from schemas.errors import JobCancelled
from schemas.kafka.records import Coordinates

FIRST, SECOND = Coordinates("t", 0, 1), Coordinates("t", 0, 2)


def no() -> bool:
    """Neither cancelled nor withdrawn."""
    return False


def yes() -> bool:
    """Cancelled, or withdrawn."""
    return True


def join(in_flight: InFlight, origin: Coordinates, *, gone: bool = False, withdrawn: bool = False) -> Coordinates:
    """Another record asks for the job ``j``; the record that it is told to follow."""
    asks = in_flight.claim("j", origin, cancelled=yes if gone else no, withdrawn=yes if withdrawn else no)
    with pytest.raises(FollowsAnother) as told, asks:
        pass
    return told.value.leader


def hold(in_flight: InFlight, held: ExitStack, *, withdrawn: bool = False) -> Holding:
    """The first record's hold on the job ``j``."""
    return held.enter_context(in_flight.claim("j", FIRST, cancelled=no, withdrawn=yes if withdrawn else no))


def test_a_second_record_follows_the_first_and_may_do_the_job_once_that_one_let_go() -> None:
    """It neither blocks nor completes: what it asks for is not done before the first has ended."""
    in_flight = InFlight()
    with ExitStack() as held:
        hold(in_flight, held)
        assert join(in_flight, SECOND) == FIRST
    with in_flight.claim("j", SECOND, cancelled=no, withdrawn=no) as holding:
        assert holding.origin == SECOND


def test_other_jobs_are_not_followed() -> None:
    """Only the same identity is the same work."""
    in_flight = InFlight()
    with ExitStack() as held:
        hold(in_flight, held)
        with in_flight.claim("other", SECOND, cancelled=no, withdrawn=no) as holding:
            assert not holding.is_shared


def test_a_record_follows_its_own_earlier_attempt_without_a_second_wish() -> None:
    """Its partition left and came back: what the old attempt gives is dropped, and no caller was added."""
    in_flight = InFlight()
    with ExitStack() as held:
        holding = hold(in_flight, held, withdrawn=True)
        assert join(in_flight, FIRST) == FIRST
        assert not holding.is_shared
        assert holding.withdrawn()


def test_a_job_goes_on_for_a_record_that_joined_it() -> None:
    """The first caller's withdrawal is not the second's."""
    in_flight = InFlight()
    with ExitStack() as held:
        holding = hold(in_flight, held, withdrawn=True)
        join(in_flight, SECOND)
        assert holding.is_shared
        assert not holding.withdrawn()


def test_a_job_does_not_go_on_for_a_record_that_lost_its_partition() -> None:
    """Its next holder asks again, wherever that is."""
    in_flight = InFlight()
    with ExitStack() as held:
        holding = hold(in_flight, held, withdrawn=True)
        join(in_flight, SECOND, gone=True)
        assert holding.withdrawn()


def test_a_record_that_comes_while_a_job_is_abandoned_follows_it_and_begins_it_anew() -> None:
    """A wish that arrives between the last withdrawal and the attempt's end is not lost."""
    in_flight = InFlight()
    with ExitStack() as held:
        holding = hold(in_flight, held, withdrawn=True)
        assert holding.withdrawn()
        assert join(in_flight, SECOND) == FIRST
        assert holding.withdrawn()
    with in_flight.claim("j", SECOND, cancelled=no, withdrawn=no) as anew:
        assert not anew.withdrawn()


def test_a_job_that_very_many_asked_for_runs_to_its_end() -> None:
    """What is remembered of them is bounded: beyond it no wish is lost, and the work is not saved."""
    in_flight = InFlight()
    with ExitStack() as held:
        holding = hold(in_flight, held, withdrawn=True)
        for number in range(WISHES_LIMIT):
            assert join(in_flight, Coordinates("t", 1, number), withdrawn=True) == FIRST
        assert not holding.withdrawn()


def test_work_that_is_not_withdrawn_passes_its_cancellation_on() -> None:
    """Whoever shuts down what the work needs has not withdrawn the job."""

    def work() -> str:
        raise JobCancelled("shut down")

    with (
        InFlight().claim("j", FIRST, cancelled=no, withdrawn=no) as holding,
        pytest.raises(JobCancelled, match="shut down"),
    ):
        holding.unless_withdrawn(work)
