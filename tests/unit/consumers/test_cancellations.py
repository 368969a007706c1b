"""What a worker remembers of cancellations, and how it logs one that matches nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.cancellations import REMEMBERED_LIMIT, Cancellations
from schemas.events import CancellationEvent
from schemas.identity import job_id
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from tests.support.clock import EPOCH, HandClock

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
LATER = NOW + timedelta(seconds=1)
NO_MATCH = "cancellation matches no job in flight"


@pytest.fixture
def cancellations() -> Cancellations:
    """Return a memory on a clock that shows a minute past NOW."""
    clock = HandClock()
    clock.seconds = (NOW + timedelta(minutes=1) - EPOCH).total_seconds()
    return Cancellations(clock=clock)


def cancelled(*references: str, job: str = "j") -> Record:
    """Return a record of the cancellations topic, as the gateway writes it."""
    return cancellation(job_id=job, reference_event_ids=references)


def cancellation(at: datetime = NOW, **named: Any) -> Record:
    """Return a record of the cancellations topic that names what it is told to."""
    event = CancellationEvent(event_id="c", occurred_at=at, **named)
    return Record(Topics().cancellations, 0, 0, None, event.model_dump_json(exclude_none=True).encode())


def test_a_reference_is_cancelled_and_another_for_the_same_job_is_not(cancellations: Cancellations) -> None:
    """Whenever the other one was asked: before, or after, or at another replica."""
    cancellations.add(cancelled("a", "b"))
    assert cancellations.is_cancelled("j", requested_at=LATER, event_id="a")
    assert cancellations.is_cancelled("j", requested_at=LATER, event_id="b")
    assert not cancellations.is_cancelled("j", requested_at=EARLIER, event_id="c")
    assert not cancellations.is_cancelled("other", requested_at=EARLIER, event_id="a")


def test_a_job_is_cancelled_for_all_that_requested_it_before(cancellations: Cancellations) -> None:
    """A cancellation that names no reference; a later request wants the job."""
    cancellations.add(cancelled())
    assert cancellations.is_cancelled("j", requested_at=NOW, event_id="a")
    assert not cancellations.is_cancelled("j", requested_at=LATER, event_id="a")
    assert not cancellations.is_cancelled("other", requested_at=NOW, event_id="a")


def test_an_earlier_cancellation_that_comes_late_takes_nothing_back(cancellations: Cancellations) -> None:
    """Partitions of the topic have no order among them."""
    cancellations.add(cancellation(NOW, job_id="j"))
    cancellations.add(cancellation(EARLIER, job_id="j"))
    assert cancellations.is_cancelled("j", requested_at=NOW, event_id="a")


def test_a_job_is_cancelled_by_its_idempotency_key(cancellations: Cancellations) -> None:
    """The caller that chose the key need not know what the job_id is made of."""
    cancellations.add(cancellation(idempotency_key="call-7"))
    assert cancellations.is_cancelled(job_id("call-7"), requested_at=NOW, event_id="a")
    assert not cancellations.is_cancelled(job_id("call-8"), requested_at=NOW, event_id="a")


def test_references_are_cancelled_by_their_ids_alone(cancellations: Cancellations) -> None:
    """Whatever their jobs are."""
    cancellations.add(cancellation(reference_event_ids=("a",)))
    assert cancellations.is_cancelled("j", requested_at=LATER, event_id="a")
    assert not cancellations.is_cancelled("j", requested_at=EARLIER, event_id="b")
    assert not cancellations.is_cancelled("j", requested_at=EARLIER, event_id=None)


def test_a_cancellation_from_the_future_counts_as_of_now(cancellations: Cancellations) -> None:
    """A publisher whose clock is ahead must not cancel a request that is made after its cancellation arrived."""
    cancellations.add(cancellation(NOW + timedelta(days=1), job_id="j"))
    assert cancellations.is_cancelled("j", requested_at=NOW + timedelta(minutes=1), event_id="a")
    assert not cancellations.is_cancelled("j", requested_at=NOW + timedelta(minutes=2), event_id="a")


def test_a_reference_from_the_future_can_be_cancelled(cancellations: Cancellations) -> None:
    """The clock of its publisher is ahead; it was requested by now at the latest."""
    request = cancellations.track("j", requested_at=NOW + timedelta(days=1), event_id="a")
    assert not request.is_cancelled()
    cancellations.add(cancellation(NOW + timedelta(minutes=5), job_id="j"))
    assert request.is_cancelled()


@pytest.mark.parametrize(
    ("named", "matches"),
    [
        ({"job_id": job_id("k")}, True),
        ({"idempotency_key": "k"}, True),
        ({"reference_event_ids": ("a", "x")}, True),
        ({"job_id": job_id("k"), "reference_event_ids": ("a",)}, True),
        ({"job_id": "misspelt"}, False),
        ({"idempotency_key": "K"}, False),
        ({"job_id": "misspelt", "reference_event_ids": ("a",)}, False),
        ({"reference_event_ids": ("x",)}, False),
        ({}, False),
    ],
)
def test_a_cancellation_that_matches_nothing_is_logged(
    cancellations: Cancellations, named: dict[str, Any], *, matches: bool
) -> None:
    """A misspelt name would otherwise go unnoticed: the job runs to its end."""
    request = cancellations.track(job_id("k"), requested_at=NOW, event_id="a")
    with capture_logs() as lines:
        cancellations.add(cancellation(**named))
    assert [line["event"] for line in lines] == ([] if matches else [NO_MATCH])
    assert request.is_cancelled() is matches


def test_a_job_that_ended_is_matched_no_more(cancellations: Cancellations) -> None:
    """A request is tracked for as long as its record is worked on, or follows one that is."""
    cancellations.track("j", requested_at=NOW, event_id="a")
    with capture_logs() as lines:
        cancellations.add(cancelled())
    assert [line["event"] for line in lines] == [NO_MATCH]


@pytest.mark.parametrize("value", [b"no event", b'{"event_id": "c", "occurred_at": "2026-01-02T12:00:00"}', None])
def test_what_is_no_cancellation_is_logged_and_passed_by(
    cancellations: Cancellations, value: bytes | None
) -> None:
    """Its publisher finds in the log where it stands and what is wrong with it."""
    with capture_logs() as lines:
        cancellations.add(Record(Topics().cancellations, 1, 7, b"j", value))
    (line,) = lines
    assert (line["event"], line["record"]) == ("cancellation cannot be decoded", "audio.cancellations[1]@7")


def test_what_is_remembered_is_bounded(cancellations: Cancellations) -> None:
    """The oldest is forgotten, which costs work and never a result."""
    for number in range(REMEMBERED_LIMIT + 1):
        cancellations.add(cancelled(str(number)))
    assert not cancellations.is_cancelled("j", requested_at=LATER, event_id="0")
    assert cancellations.is_cancelled("j", requested_at=LATER, event_id="1")
