"""What a worker remembers of what was cancelled, and what it says about a cancellation that matches nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.cancellations import WITHDRAWN_LIMIT, Withdrawn
from schemas.events import CancellationEvent
from schemas.identity import job_id
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
LATER = NOW + timedelta(seconds=1)
NO_MATCH = "cancellation_matches_no_job_in_flight"


@pytest.fixture
def withdrawn() -> Withdrawn:
    """A memory on a clock that shows a minute past NOW."""
    return Withdrawn(now=lambda: NOW + timedelta(minutes=1))


def cancelled(*references: str, job: str = "j") -> Record:
    """A record of the cancellations topic, as the gateway writes it."""
    return cancellation(job_id=job, reference_event_ids=references)


def cancellation(at: datetime = NOW, **named: Any) -> Record:
    """A record of the cancellations topic that names what it is told to."""
    event = CancellationEvent(event_id="c", occurred_at=at, **named)
    return Record(Topics().cancellations, 0, 0, None, event.model_dump_json(exclude_none=True).encode())


def test_a_reference_is_withdrawn_and_another_for_the_same_job_is_not(withdrawn: Withdrawn) -> None:
    """Whenever the other one was asked: before, or after, or at another replica."""
    withdrawn.take(cancelled("a", "b"))
    assert withdrawn.includes("j", asked_at=LATER, event_id="a")
    assert withdrawn.includes("j", asked_at=LATER, event_id="b")
    assert not withdrawn.includes("j", asked_at=EARLIER, event_id="c")
    assert not withdrawn.includes("other", asked_at=EARLIER, event_id="a")


def test_a_job_is_withdrawn_for_all_who_asked_before(withdrawn: Withdrawn) -> None:
    """A cancellation that names no reference; who asks later wants the job."""
    withdrawn.take(cancelled())
    assert withdrawn.includes("j", asked_at=NOW, event_id="a")
    assert not withdrawn.includes("j", asked_at=LATER, event_id="a")
    assert not withdrawn.includes("other", asked_at=NOW, event_id="a")


def test_an_earlier_cancellation_that_comes_late_takes_nothing_back(withdrawn: Withdrawn) -> None:
    """Partitions of the topic have no order among them."""
    withdrawn.take(cancellation(NOW, job_id="j"))
    withdrawn.take(cancellation(EARLIER, job_id="j"))
    assert withdrawn.includes("j", asked_at=NOW, event_id="a")


def test_a_job_is_withdrawn_by_its_idempotency_key(withdrawn: Withdrawn) -> None:
    """Whoever chose the key need not know what the job_id is made of."""
    withdrawn.take(cancellation(idempotency_key="call-7"))
    assert withdrawn.includes(job_id("call-7"), asked_at=NOW, event_id="a")
    assert not withdrawn.includes(job_id("call-8"), asked_at=NOW, event_id="a")


def test_references_are_withdrawn_by_their_ids_alone(withdrawn: Withdrawn) -> None:
    """Whatever their jobs are."""
    withdrawn.take(cancellation(reference_event_ids=("a",)))
    assert withdrawn.includes("j", asked_at=LATER, event_id="a")
    assert not withdrawn.includes("j", asked_at=EARLIER, event_id="b")
    assert not withdrawn.includes("j", asked_at=EARLIER, event_id=None)


def test_a_cancellation_from_the_future_counts_as_of_now(withdrawn: Withdrawn) -> None:
    """A publisher whose clock is ahead must not cancel what is asked for after its cancellation arrived."""
    withdrawn.take(cancellation(NOW + timedelta(days=1), job_id="j"))
    assert withdrawn.includes("j", asked_at=NOW + timedelta(minutes=1), event_id="a")
    assert not withdrawn.includes("j", asked_at=NOW + timedelta(minutes=2), event_id="a")


def test_a_reference_from_the_future_can_be_cancelled(withdrawn: Withdrawn) -> None:
    """The clock of its publisher is ahead; it was asked for by now at the latest."""
    wish = withdrawn.wish("j", asked_at=NOW + timedelta(days=1), event_id="a")
    assert not wish()
    withdrawn.take(cancellation(NOW + timedelta(minutes=5), job_id="j"))
    assert wish()


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
    withdrawn: Withdrawn, named: dict[str, Any], *, matches: bool
) -> None:
    """A misspelt name would otherwise go unnoticed: the job runs to its end."""
    wish = withdrawn.wish(job_id("k"), asked_at=NOW, event_id="a")
    with capture_logs() as lines:
        withdrawn.take(cancellation(**named))
    assert [line["event"] for line in lines] == ([] if matches else [NO_MATCH])
    assert wish() is matches


def test_a_job_that_ended_is_matched_no_more(withdrawn: Withdrawn) -> None:
    """A wish lasts as long as a record that is worked on, or follows one that is."""
    withdrawn.wish("j", asked_at=NOW, event_id="a")
    with capture_logs() as lines:
        withdrawn.take(cancelled())
    assert [line["event"] for line in lines] == [NO_MATCH]


@pytest.mark.parametrize("value", [b"no event", b'{"event_id": "c", "occurred_at": "2026-01-02T12:00:00"}', None])
def test_what_is_no_cancellation_is_logged_and_passed_by(withdrawn: Withdrawn, value: bytes | None) -> None:
    """Its publisher finds in the log where it stands and what is wrong with it."""
    with capture_logs() as lines:
        withdrawn.take(Record(Topics().cancellations, 1, 7, b"j", value))
    (line,) = lines
    assert (line["event"], line["record"]) == ("cancellation_not_understood", "audio.cancellations[1]@7")


def test_what_is_remembered_is_bounded(withdrawn: Withdrawn) -> None:
    """The oldest is forgotten, which costs work and never a result."""
    for number in range(WITHDRAWN_LIMIT + 1):
        withdrawn.take(cancelled(str(number)))
    assert not withdrawn.includes("j", asked_at=LATER, event_id="0")
    assert withdrawn.includes("j", asked_at=LATER, event_id="1")
