"""The steps of a job: which of them run, in which order, and whose outputs a record gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from consumers.once import Claim, OncePerJob, Requester, Steps
from consumers.runtime.ports import CancelledByCaller, FollowsAnother
from schemas.errors import JobCancelled
from schemas.kafka.records import Coordinates, OutgoingRecord

OURS, OTHER = Coordinates("t", 0, 1), Coordinates("t", 0, 2)


@dataclass(frozen=True)
class Result:
    """A stored result."""

    owner: Coordinates


def outputs(name: str) -> Sequence[OutgoingRecord]:
    """One record that names the step it comes from."""
    return (OutgoingRecord("out", None, name.encode()),)


@dataclass
class Job:
    """A job that records its steps. ``stored`` is what it finds; doing it stores ``done``, or raises it."""

    stored: Result | None = None
    done: Result | Exception = field(default_factory=lambda: Result(OURS))
    cancelled: bool = False
    stopped: bool = False
    steps: list[str] = field(default_factory=list)

    def run(self, once: OncePerJob | None = None) -> bytes | None:
        """Run the job for our record; return the value of its one output."""
        requester = Requester(OURS, lambda: self.stopped, lambda: self.cancelled)
        steps = Steps(
            find=self._find,
            do=self._do,
            on_completed=lambda _: outputs("completed"),
            on_completed_by_another=lambda _: outputs("completed by another"),
            on_cancelled=lambda: outputs("cancelled"),
        )
        (record,) = (once or OncePerJob()).run("j", requester, steps)
        return record.value

    def _find(self) -> Result | None:
        self.steps.append("find")
        return self.stored

    def _do(self, claim: Claim) -> Result:
        assert claim.origin == OURS
        self.steps.append("do")
        if isinstance(self.done, Exception):
            self.cancelled = isinstance(self.done, JobCancelled)
            raise self.done
        self.stored = self.done
        return self.done


def test_a_job_is_done_once_and_published_whenever_its_owner_comes_back() -> None:
    """The second attempt finds the result, and returns the same outputs."""
    job = Job()
    assert [job.run(), job.run()] == [b"completed", b"completed"]
    assert job.steps == ["find", "do", "find"]


@pytest.mark.parametrize("stored", [Result(OTHER), None])
def test_a_result_that_another_record_stored_first_is_not_published_again(stored: Result | None) -> None:
    """Whether it was stored before this record came, or while it did the work."""
    assert Job(stored=stored, done=Result(OTHER)).run() == b"completed by another"


def test_what_is_finished_is_published_although_it_was_cancelled() -> None:
    """Only the owner publishes a result, and other records may wait for it."""
    assert Job(stored=Result(OURS), cancelled=True).run() == b"completed"


def test_a_cancelled_job_is_not_done() -> None:
    """The record completes with the outputs of its cancellation."""
    job = Job(cancelled=True)
    with pytest.raises(CancelledByCaller) as raised:
        job.run()
    assert [record.value for record in raised.value.outputs] == [b"cancelled"]
    assert job.steps == ["find"]


def test_a_job_that_is_cancelled_while_it_runs_ends_as_cancelled() -> None:
    """The work has stopped because every caller has cancelled."""
    with pytest.raises(CancelledByCaller) as raised:
        Job(done=JobCancelled("stopped")).run()
    assert [record.value for record in raised.value.outputs] == [b"cancelled"]


def test_a_cancelled_job_whose_attempt_must_end_is_left_to_the_next_attempt() -> None:
    """Its partition is gone: the next process that holds it decides."""
    with pytest.raises(JobCancelled) as raised:
        Job(done=JobCancelled("stopped"), stopped=True).run()
    assert not isinstance(raised.value, CancelledByCaller)


def test_a_job_that_fails_is_claimed_no_more() -> None:
    """The next attempt may do it."""
    once = OncePerJob()
    with pytest.raises(ZeroDivisionError):
        Job(done=ZeroDivisionError()).run(once)
    assert Job().run(once) == b"completed"


def test_another_record_follows_while_a_job_is_done() -> None:
    """It neither finds nor does anything before the first record has ended."""
    once, second = OncePerJob(), Job()

    def do(_: Claim) -> Result:
        with pytest.raises(FollowsAnother):
            second.run(once)
        return Result(OTHER)

    steps = Steps(
        find=lambda: None,
        do=do,
        on_completed=lambda _: outputs("completed"),
        on_completed_by_another=lambda _: (),
        on_cancelled=lambda: (),
    )
    assert once.run("j", Requester(OTHER, lambda: False, lambda: False), steps) == outputs("completed")
    assert second.steps == []
