"""Which record has the claim to a job in this process, and which records it works for."""

from contextlib import ExitStack

import pytest

from consumers.once import REQUESTERS_LIMIT, Claim, Claims, Requester
from consumers.runtime.ports import FollowsAnother
from schemas.errors import JobCancelled
from schemas.kafka.records import Coordinates

FIRST, SECOND = Coordinates("t", 0, 1), Coordinates("t", 0, 2)


def no() -> bool:
    """Neither stopped nor cancelled."""
    return False


def yes() -> bool:
    """Return whether it is stopped or cancelled."""
    return True


def join(claims: Claims, origin: Coordinates, *, stopped: bool = False, cancelled: bool = False) -> Coordinates:
    """Request the claimed job ``j`` for another record; return the record that it has to follow."""
    requester = Requester(origin, yes if stopped else no, yes if cancelled else no)
    with pytest.raises(FollowsAnother) as raised, claims.claim("j", requester):
        pass
    return raised.value.leader


def claim(claims: Claims, open_claims: ExitStack, *, cancelled: bool = False) -> Claim:
    """Claim the job ``j`` for the first record."""
    requester = Requester(FIRST, no, yes if cancelled else no)
    return open_claims.enter_context(claims.claim("j", requester))


def test_a_second_record_follows_the_first_and_may_do_the_job_once_that_one_let_go() -> None:
    """It neither blocks nor completes: what it asks for is not done before the first has ended."""
    claims = Claims()
    with ExitStack() as open_claims:
        claim(claims, open_claims)
        assert join(claims, SECOND) == FIRST
    with claims.claim("j", Requester(SECOND, no, no)) as held:
        assert held.origin == SECOND


def test_other_jobs_are_not_followed() -> None:
    """Only the same identity is the same work."""
    claims = Claims()
    with ExitStack() as open_claims:
        claim(claims, open_claims)
        with claims.claim("other", Requester(SECOND, no, no)) as held:
            assert not held.is_shared


def test_a_record_follows_its_own_earlier_attempt_without_a_second_request() -> None:
    """Its partition left and came back: what the old attempt gives is dropped, and no caller was added."""
    claims = Claims()
    with ExitStack() as open_claims:
        held = claim(claims, open_claims, cancelled=True)
        assert join(claims, FIRST) == FIRST
        assert not held.is_shared
        assert held.is_cancelled()


def test_a_job_goes_on_for_a_record_that_joined_it() -> None:
    """The first caller's cancellation is not the second's."""
    claims = Claims()
    with ExitStack() as open_claims:
        held = claim(claims, open_claims, cancelled=True)
        join(claims, SECOND)
        assert held.is_shared
        assert not held.is_cancelled()


def test_a_job_does_not_go_on_for_a_record_that_lost_its_partition() -> None:
    """Its next holder asks again, wherever that is."""
    claims = Claims()
    with ExitStack() as open_claims:
        held = claim(claims, open_claims, cancelled=True)
        join(claims, SECOND, stopped=True)
        assert held.is_cancelled()


def test_a_record_that_comes_while_a_job_is_cancelled_follows_it_and_starts_a_new_one() -> None:
    """A request that arrives between the last cancellation and the attempt's end is not lost."""
    claims = Claims()
    with ExitStack() as open_claims:
        held = claim(claims, open_claims, cancelled=True)
        assert held.is_cancelled()
        assert join(claims, SECOND) == FIRST
        assert held.is_cancelled()
    with claims.claim("j", Requester(SECOND, no, no)) as later:
        assert not later.is_cancelled()


def test_a_job_that_very_many_asked_for_runs_to_its_end() -> None:
    """What is remembered of them is bounded: beyond it no request is lost, and the work is not saved."""
    claims = Claims()
    with ExitStack() as open_claims:
        held = claim(claims, open_claims, cancelled=True)
        for number in range(REQUESTERS_LIMIT):
            assert join(claims, Coordinates("t", 1, number), cancelled=True) == FIRST
        assert not held.is_cancelled()


def test_work_that_is_not_cancelled_passes_its_cancellation_on() -> None:
    """A shutdown of what the work needs is no caller's cancellation."""

    def work(_: Claim) -> str:
        raise JobCancelled("shut down")

    with (
        Claims().claim("j", Requester(FIRST, no, no)) as held,
        pytest.raises(JobCancelled, match="shut down"),
    ):
        held.unless_cancelled(work)


def test_what_exists_is_looked_for_once() -> None:
    """Each look is a request of the store: none comes before the claim and again under it."""
    looks: list[str] = []

    def find() -> str | None:
        looks.append("look")
        return None

    claims, requester = Claims(), Requester(FIRST, no, no)
    assert claims.find_or_do("j", requester, find=find, do=lambda: "made") == "made"
    assert claims.find_or_do("j", requester, find=lambda: "found", do=lambda: "made") == "found"
    assert looks == ["look"]


def test_a_record_does_not_follow_one_that_works_on_what_exists() -> None:
    """Records that reuse one result at once use it side by side; only one that is being made is waited for."""
    claims, second = Claims(), Requester(SECOND, no, no)
    with ExitStack() as open_claims:
        claim(claims, open_claims)
        assert claims.find_or_do("j", second, find=lambda: "found", do=lambda: "made again") == "found"
        with pytest.raises(FollowsAnother) as raised:
            claims.find_or_do("j", second, find=lambda: None, do=lambda: "made twice")
    assert raised.value.leader == FIRST
