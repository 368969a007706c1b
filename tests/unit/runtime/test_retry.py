"""What follows from a failed attempt."""

from typing import Final

import pytest

from consumers.runtime.retry import (
    PAUSES_LIMIT,
    DeadLetter,
    Decision,
    Pause,
    Retry,
    decide,
    due_at,
    may_run_at,
    retried,
)
from schemas.errors import (
    AudioNotFound,
    AudioTooLarge,
    DependencyDown,
    EnrichmentFailed,
    InvalidEvent,
    Reason,
    WebhookFailed,
    WebhookPostponed,
)
from schemas.kafka import history
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.topics import retry_delay_seconds, retry_topic

NOW_MS: Final = 1_000_000
DELAYS: Final = (10, 60, 600)


def decided(error: Exception, attempt: int, topic: str = "audio.references") -> Decision:
    """Decide with the usual delays."""
    return decide(error, topic=topic, attempt=attempt, retry_delays_seconds=DELAYS, now_ms=NOW_MS)


@pytest.mark.parametrize("attempt", [1, 2, 9])
def test_what_can_never_succeed_is_dead_lettered_at_once(attempt: int) -> None:
    """With the reason that the error carries."""
    assert decided(InvalidEvent("not JSON"), attempt) == DeadLetter(Reason.INVALID_EVENT)
    assert decided(AudioTooLarge("9 GiB"), attempt) == DeadLetter(Reason.AUDIO_TOO_LARGE)


def test_each_attempt_waits_longer_in_a_topic_of_its_own() -> None:
    """Three delays are three retries; the fourth failure is the last."""
    error = EnrichmentFailed("503")
    retries = [decided(error, attempt) for attempt in (1, 2, 3)]
    reason = Reason.ENRICHMENT_FAILED
    assert retries == [
        Retry("audio.references.retry.10s", NOW_MS + 10_000, 2, reason),
        Retry("audio.references.retry.1m", NOW_MS + 60_000, 3, reason),
        Retry("audio.references.retry.10m", NOW_MS + 600_000, 4, reason),
    ]
    assert decided(error, 4) == DeadLetter(reason)


def test_a_retry_of_a_retry_goes_to_the_origins_next_topic() -> None:
    """Names do not pile up."""
    decision = decided(EnrichmentFailed("503"), 2, topic="audio.references.retry.10s")
    assert isinstance(decision, Retry)
    assert decision.topic == "audio.references.retry.1m"


def test_an_error_may_allow_fewer_attempts_than_there_are_delays() -> None:
    """An object that is not there after three checks is not there."""
    assert isinstance(decided(AudioNotFound("gone"), 2), Retry)
    assert decided(AudioNotFound("gone"), 3) == DeadLetter(Reason.AUDIO_NOT_FOUND)


@pytest.mark.parametrize("delays", [(), (10,), (10, 60)])
def test_an_error_may_allow_more_attempts_than_there_are_delays(delays: tuple[int, ...]) -> None:
    """The fewer of both count: after the last delay nothing is left to wait for."""

    def after(attempt: int) -> Decision:
        error = AudioNotFound("gone")
        return decide(error, topic="t", attempt=attempt, retry_delays_seconds=delays, now_ms=NOW_MS)

    assert all(isinstance(after(attempt), Retry) for attempt in range(1, len(delays) + 1))
    assert after(len(delays) + 1) == DeadLetter(Reason.AUDIO_NOT_FOUND)


def test_a_dependency_that_is_down_costs_no_attempt() -> None:
    """However often: intake pauses instead."""
    assert decided(DependencyDown("s3", "refused"), 99) == Pause("s3")


def test_a_dependency_that_fails_one_record_and_passes_its_probe_is_that_records_fault() -> None:
    """It would otherwise be waited for, and the service found healthy, forever."""
    error = DependencyDown("s3", "writing s3://audio/x: Read timeout")

    def after(pauses: int, attempt: int) -> Decision:
        return decide(error, topic="t", attempt=attempt, retry_delays_seconds=DELAYS, now_ms=NOW_MS, pauses=pauses)

    assert after(PAUSES_LIMIT - 1, 1) == Pause("s3")
    assert after(PAUSES_LIMIT, 1) == Retry("t.retry.10s", NOW_MS + 10_000, 2, Reason.DEPENDENCY_DOWN)
    assert after(PAUSES_LIMIT, 4) == DeadLetter(Reason.DEPENDENCY_DOWN)


def test_no_record_is_blamed_for_what_fails_every_record() -> None:
    """A bucket that may not be written, or is full, passes a probe that reads; records wait until that ends."""
    error = DependencyDown("s3", "the store answered 403 AccessDenied", fails_every_record=True)
    decision = decide(error, topic="t", attempt=4, retry_delays_seconds=DELAYS, now_ms=NOW_MS, pauses=PAUSES_LIMIT)
    assert decision == Pause("s3")


@pytest.mark.parametrize(
    ("topic", "due_ms", "written_ms", "expected"),
    [
        ("audio.references.retry.1m", NOW_MS + 50_000, NOW_MS - 10_000, NOW_MS + 50_000),
        ("audio.references.retry.1m", NOW_MS * 1_000, NOW_MS - 10_000, NOW_MS + 50_000),
        ("audio.references.retry.1m", NOW_MS + 50_000, NOW_MS + 3_000, NOW_MS + 50_000),
        ("audio.references.retry.1m", NOW_MS * 1_000, NOW_MS * 1_000, 60_000),
        ("audio.references.retry.1m", NOW_MS * 1_000, 0, 60_000),
        ("audio.references.retry.1m", None, NOW_MS, 0),
        ("audio.references", NOW_MS + 50_000, NOW_MS, 0),
    ],
)
def test_no_record_waits_longer_than_its_retry_topic_allows(
    topic: str, due_ms: int | None, written_ms: int, expected: int
) -> None:
    """Due times count on retry topics alone, up to the topic's delay: the partition waits with the record."""
    headers = () if due_ms is None else ((history.DUE_MS, str(due_ms).encode()),)
    record = Record(topic, 0, 1, None, b"v", headers, timestamp_ms=written_ms)
    assert may_run_at(record, now_ms=NOW_MS) == expected


@pytest.mark.parametrize("delay_seconds", [0, 1, 59, 60, 90, 3_600, 5_400, 86_400])
def test_a_retry_topics_delay_is_read_from_its_name(delay_seconds: int) -> None:
    """Whatever unit the name is written in; no other topic has one."""
    assert retry_delay_seconds(retry_topic("audio.references", delay_seconds)) == delay_seconds
    assert retry_delay_seconds("audio.references") is None
    assert retry_delay_seconds("audio.references.retry.soon") is None
    assert retry_delay_seconds("audio.references.retry.999999999s") == 999_999_999
    assert retry_delay_seconds("audio.references.retry.1000000000s") is None, "a due time beyond any calendar"


def test_an_error_that_the_code_does_not_know_counts_as_transient() -> None:
    """It is retried like others, and ends as an internal error."""
    assert isinstance(decided(ZeroDivisionError(), 1), Retry)
    assert decided(ZeroDivisionError(), 4) == DeadLetter(Reason.INTERNAL_ERROR)


def test_without_retry_topics_the_first_failure_is_the_last() -> None:
    """An empty setting turns retries off."""
    decision = decide(EnrichmentFailed("503"), topic="t", attempt=1, retry_delays_seconds=(), now_ms=NOW_MS)
    assert decision == DeadLetter(Reason.ENRICHMENT_FAILED)


def test_a_retried_record_keeps_everything_and_knows_where_it_came_from() -> None:
    """Through two retry topics: key, value, headers and origin stay; attempt and due time move on."""
    first = Record("audio.references", 3, 41, b"k", b"v", (("traceparent", b"00-1"),), timestamp_ms=77)
    sent = retried(first, Retry("audio.references.retry.10s", 5_000, 2, Reason.ENGINE_FAILED))
    second = Record(sent.topic, 0, 900, sent.key, sent.value, sent.headers, timestamp_ms=99)
    assert due_at(second) == 5_000
    sent = retried(second, Retry("audio.references.retry.1m", 6_000, 3, Reason.ENGINE_FAILED))
    third = Record(sent.topic, 1, 2, sent.key, sent.value, sent.headers)
    assert (third.key, third.value, third.header("traceparent")) == (b"k", b"v", b"00-1")
    assert history.read(third) == history.History(3, Coordinates("audio.references", 3, 41), 77, 6_000)
    assert len(third.headers) == len(second.headers)


def test_a_retry_waits_as_long_as_the_service_asks_as_far_as_the_delays_go() -> None:
    """The shortest delay that is enough is taken, and the longest where none is."""

    def delay_for(retry_after_seconds: float) -> str:
        error = WebhookFailed("429", retry_after_seconds=retry_after_seconds)
        decision = decide(error, topic="t", attempt=1, retry_delays_seconds=(10, 60, 600), now_ms=NOW_MS)
        assert isinstance(decision, Retry)
        assert decision.attempt == 2
        return decision.topic

    assert [delay_for(seconds) for seconds in (0, 10, 11, 600, 5_000)] == [
        "t.retry.10s",
        "t.retry.10s",
        "t.retry.1m",
        "t.retry.10m",
        "t.retry.10m",
    ]


def test_what_was_not_tried_comes_again_soon_as_the_same_attempt() -> None:
    """However often: it only waits until others of its kind are done. Without retry topics it is given up."""
    error = WebhookPostponed("others wait")
    again = decide(error, topic="t", attempt=9, retry_delays_seconds=(60, 10), now_ms=NOW_MS)
    assert again == Retry("t.retry.10s", NOW_MS + 10_000, 9, Reason.WEBHOOK_FAILED)
    given_up = decide(error, topic="t", attempt=1, retry_delays_seconds=(), now_ms=NOW_MS)
    assert given_up == DeadLetter(Reason.WEBHOOK_FAILED)
