"""The history of a record as headers: byte for byte, and defensive against foreign ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka import history
from schemas.kafka.history import History
from schemas.kafka.records import Coordinates, Headers, Record

ORIGIN = Coordinates("audio.references", 3, 41)
FIRST_SEEN_MS = 1_795_374_000_000
DUE_MS = 1_795_374_060_000


def record(headers: Headers = (), *, topic: str = "audio.references.retry.1m") -> Record:
    """Return a record with these headers."""
    return Record(topic, 0, 7, b"key", b"value", headers, timestamp_ms=5)


def test_a_record_without_headers_is_at_its_first_attempt_and_its_own_origin() -> None:
    """And may run at once."""
    assert history.read(record()) == History(1, Coordinates("audio.references.retry.1m", 0, 7), 5, None)


@pytest.mark.parametrize("topic", ["audio.references", "audio.objects", "audio.retry.references", "x.retry.soon"])
def test_on_a_topic_that_others_write_to_no_history_is_believed(topic: str) -> None:
    """A caller that claims an origin would own another job's result; one that claims attempts would have none."""
    forged = record(history.write(History(9, ORIGIN, FIRST_SEEN_MS, DUE_MS), ()), topic=topic)
    assert history.read(forged) == History(1, Coordinates(topic, 0, 7), 5)


@pytest.mark.parametrize("topic", ["audio.references.retry.1m", "eu.audio.references.dlq"])
def test_retry_and_dead_letter_topics_are_believed(topic: str) -> None:
    """Only we write there."""
    past = History(9, ORIGIN, FIRST_SEEN_MS, DUE_MS)
    assert history.read(record(history.write(past, ()), topic=topic)) == past


def test_the_bytes_of_every_header_are_those_of_the_contract() -> None:
    """Ours in decimal digits; Spring's as an int of four bytes and BigIntegers of epoch milliseconds."""
    written = history.write(History(2, ORIGIN, FIRST_SEEN_MS, DUE_MS), (("traceparent", b"00"), ("x", None)))
    assert written == (
        ("traceparent", b"00"),
        ("x", None),
        ("kascribe-attempt", b"2"),
        ("kascribe-origin-topic", b"audio.references"),
        ("kascribe-origin-partition", b"3"),
        ("kascribe-origin-offset", b"41"),
        ("kascribe-first-seen-ms", b"1795374000000"),
        ("retry_topic-attempts", b"\x00\x00\x00\x02"),
        ("retry_topic-original-timestamp", b"\x01\xa2\x04\xa1\x27\x80"),
        ("kascribe-due-ms", b"1795374060000"),
        ("retry_topic-backoff-timestamp", b"\x01\xa2\x04\xa2\x11\xe0"),
    )


@given(
    st.builds(
        History,
        attempt=st.integers(1, 2**31 - 1),
        origin=st.builds(
            Coordinates, st.text("abc.", min_size=1), st.integers(0, 2**31 - 1), st.integers(0, 2**62)
        ),
        first_seen_ms=st.integers(1, 2**62),
        due_ms=st.none() | st.integers(1, 2**62),
    )
)
def test_what_is_written_is_read(past: History) -> None:
    """Writing twice does not add up: the second history stands in place of the first."""
    headers = history.write(past, history.write(History(9, ORIGIN, 1, 2), (("h", b"1"), ("h", b"2"))))
    assert history.read(record(headers)) == past
    assert history.strip(headers) == (("h", b"1"), ("h", b"2"))
    assert len({name for name, _ in headers}) == len(headers) - 1


def test_a_record_from_springs_retry_topics_is_understood() -> None:
    """Its attempts and its due time are read where ours are absent."""
    headers = (("retry_topic-attempts", b"\x00\x00\x00\x03"), ("retry_topic-backoff-timestamp", b"\x01\x00"))
    past = history.read(record(headers))
    assert (past.attempt, past.due_ms) == (3, 256)


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"abc", b"9" * 40, "\u0663".encode(), None])
def test_headers_that_make_no_sense_are_as_good_as_absent(value: bytes | None) -> None:
    """Any client may write to a topic; no header can make the consumer fail."""
    headers: Headers = tuple((name, value) for name in history.NAMES)
    past = history.read(record(headers))
    assert past.attempt >= 1
    assert past.origin == Coordinates("audio.references.retry.1m", 0, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (history.ATTEMPT, b"9999999999"),
        (history.SPRING_ATTEMPTS, b"text12"),
        (history.FIRST_SEEN_MS, b"9" * 19),
        (history.DUE_MS, b"9" * 19),
        (history.ORIGIN_OFFSET, b"9" * 19),
        (history.ORIGIN_PARTITION, b"9999999999"),
    ],
)
def test_a_number_that_no_counter_reaches_is_as_good_as_absent(name: str, value: bytes) -> None:
    """Kafka and Spring keep attempts and partitions in an int, offsets and times in a long; so do we."""
    written = dict(history.write(History(2, ORIGIN, FIRST_SEEN_MS), ()))
    without = {each: kept for each, kept in written.items() if each != name}
    past = history.read(record(tuple({**without, name: value}.items())))
    assert past == history.read(record(tuple(without.items())))


@given(st.integers(-(2**70), 2**70))
def test_big_integers_are_those_of_java(number: int) -> None:
    """Two's complement without a superfluous byte, as BigInteger.toByteArray gives it."""
    written = history.big_integer(number)
    assert int.from_bytes(written, "big", signed=True) == number
    if len(written) > 1:
        assert not -(2 ** (8 * len(written) - 9)) <= number < 2 ** (8 * len(written) - 9)
