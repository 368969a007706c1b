"""Dead letters: byte for byte what Connect's and Spring's tools read, and a way back."""

import json
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from consumers.runtime.retry import Retry, retried
from schemas.errors import Reason
from schemas.identity import job_id, record_key, reference_key
from schemas.kafka import dead_letters, history
from schemas.kafka.dead_letters import MESSAGE_CHARACTERS_LIMIT, STACK_TRACE_CHARACTERS_LIMIT, Cause, Site
from schemas.kafka.records import Coordinates, OutgoingRecord, Record

CAUSE = Cause(
    "audio_undecodable",
    "no audio stream: 회의.wav",
    exception="schemas.errors.AudioUndecodable",
    exception_cause="av.error.InvalidDataError",
    stack_trace="Traceback ...",
)
SITE = Site("transcriber", "kascribe.transcriber", failed_ms=1_795_374_000_123)
FAILED = Record("audio.references", 3, 41, b"k", b"v", (("traceparent", b"00-1"),), timestamp_ms=258)


def arrived(sent: OutgoingRecord, *, offset: int = 0) -> Record:
    """Return the record as a reader of the dead-letter topic receives it."""
    return Record(sent.topic, 0, offset, sent.key, sent.value, sent.headers, timestamp_ms=999)


def test_the_headers_of_kafka_connect_are_text() -> None:
    """The set that a Connect sink's dead-letter queue has, numbers as decimal text."""
    letter = dead_letters.write(FAILED, CAUSE, SITE, attempt=2)
    connect = {name: value for name, value in letter.headers if name.startswith("__connect.errors.")}
    assert connect == {
        "__connect.errors.topic": b"audio.references",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"41",
        "__connect.errors.connector.name": b"kascribe.transcriber",
        "__connect.errors.task.id": b"3",
        "__connect.errors.stage": b"transcriber",
        "__connect.errors.class.name": b"kascribe.transcriber",
        "__connect.errors.exception.class.name": b"schemas.errors.AudioUndecodable",
        "__connect.errors.exception.message": "no audio stream: 회의.wav".encode(),
        "__connect.errors.exception.stacktrace": b"Traceback ...",
    }


def test_the_headers_of_spring_are_binary() -> None:
    """The set that Spring's dead-letter recoverer writes: ints of four bytes, longs of eight, big-endian."""
    letter = dead_letters.write(FAILED, CAUSE, SITE, attempt=2)
    spring = {name: value for name, value in letter.headers if name.startswith(("kafka_dlt-", "kafka_delivery"))}
    assert spring == {
        "kafka_dlt-original-topic": b"audio.references",
        "kafka_dlt-original-partition": b"\x00\x00\x00\x03",
        "kafka_dlt-original-offset": b"\x00\x00\x00\x00\x00\x00\x00\x29",
        "kafka_dlt-original-timestamp": b"\x00\x00\x00\x00\x00\x00\x01\x02",
        "kafka_dlt-original-timestamp-type": b"CreateTime",
        "kafka_dlt-original-consumer-group": b"kascribe.transcriber",
        "kafka_dlt-exception-fqcn": b"schemas.errors.AudioUndecodable",
        "kafka_dlt-exception-cause-fqcn": b"av.error.InvalidDataError",
        "kafka_dlt-exception-message": "no audio stream: 회의.wav".encode(),
        "kafka_dlt-exception-stacktrace": b"Traceback ...",
        "kafka_deliveryAttempt": b"\x00\x00\x00\x02",
    }


def test_a_dead_letter_is_the_record_and_our_own_headers() -> None:
    """Key, value and every header stay; the topic is that of the origin, also from a retry topic."""
    letter = dead_letters.write(replace(FAILED, topic="audio.references.retry.1m"), CAUSE, SITE, attempt=2)
    assert (letter.topic, letter.key, letter.value) == ("audio.references.dlq", b"k", b"v")
    assert letter.headers[0] == ("traceparent", b"00-1")
    ours = dict(letter.headers)
    assert ours["kascribe-reason"] == b"audio_undecodable"
    assert ours["kascribe-error-message"] == "no audio stream: 회의.wav".encode()
    assert ours["kascribe-failed-ms"] == b"1795374000123"
    assert ours["kascribe-stage"] == b"transcriber"
    assert ours["kascribe-attempt"] == b"2"
    assert "kascribe-due-ms" not in ours


def test_what_is_written_is_read() -> None:
    """Every field that a list or a redrive needs comes back."""
    letter = dead_letters.read(arrived(dead_letters.write(FAILED, CAUSE, SITE, attempt=2)))
    assert letter.origin == Coordinates("audio.references", 3, 41)
    assert (letter.attempt, letter.reason, letter.stage) == (2, "audio_undecodable", "transcriber")
    assert (letter.message, letter.exception) == (CAUSE.message, CAUSE.exception)
    assert (letter.stack_trace, letter.failed_ms, letter.redrives) == ("Traceback ...", 1_795_374_000_123, 0)


def test_a_record_that_fails_again_and_again_does_not_grow() -> None:
    """Redriven and dead-lettered five times, it has the headers of the second time."""
    sizes = []
    record = FAILED
    for _ in range(5):
        letter = dead_letters.read(arrived(dead_letters.write(record, CAUSE, SITE, attempt=3)))
        sizes.append(len(letter.record.headers))
        back = dead_letters.redrive(letter, topic="audio.references.retry.10s", now_ms=1)
        record = Record(back.topic, 5, 500, back.key, back.value, back.headers)
    assert sizes[1:] == [sizes[1]] * 4


def test_a_redriven_record_starts_over_and_still_owns_its_job() -> None:
    """Attempt 1, with the first coordinates; what the dead letter added is gone."""
    letter = dead_letters.read(arrived(dead_letters.write(FAILED, CAUSE, SITE, attempt=4), offset=12))
    back = dead_letters.redrive(letter, topic="audio.references.retry.10s", now_ms=1_000)
    assert (back.topic, back.key, back.value) == ("audio.references.retry.10s", b"k", b"v")
    record = Record(back.topic, 0, 9_000, back.key, back.value, back.headers)
    assert history.read(record) == history.History(1, Coordinates("audio.references", 3, 41), 258)
    names = [name for name, _ in back.headers]
    assert not [name for name in names if name.startswith(("__connect", "kafka_dlt", "kascribe-reason"))]
    assert dict(back.headers)["kascribe-redriven-from"] == b"audio.references.dlq[0]@12"
    assert dict(back.headers)["kascribe-redrives"] == b"1"


def test_every_redrive_of_a_record_is_counted() -> None:
    """Once it comes back as a letter again, the next one is its second."""
    record = FAILED
    for redrives in (1, 2, 3):
        letter = dead_letters.read(arrived(dead_letters.write(record, CAUSE, SITE, attempt=4)))
        assert letter.redrives == redrives - 1
        back = dead_letters.redrive(letter, topic="audio.references.retry.10s", now_ms=1_000)
        assert [value for name, value in back.headers if name == "kascribe-redrives"] == [str(redrives).encode()]
        record = Record(back.topic, 0, 9_000, back.key, back.value, back.headers)


def test_dead_letters_of_connect_and_of_spring_are_understood() -> None:
    """Origin and message are found in either dialect."""
    both = dead_letters.write(FAILED, CAUSE, SITE, attempt=1)
    for prefix in ("__connect.errors.", "kafka_dlt-"):
        headers = tuple(header for header in both.headers if header[0].startswith(prefix))
        letter = dead_letters.read(arrived(replace(both, headers=headers)))
        assert letter.origin == Coordinates("audio.references", 3, 41)
        assert letter.message == CAUSE.message
        assert letter.exception == CAUSE.exception


def test_the_job_of_a_dead_letter_is_found_in_its_value() -> None:
    """As its FAILED event names it: an event's job, a reference's key or event id, else where it was read."""
    by_id = dead_letters.read(replace(FAILED, value=json.dumps({"job_id": "abc"}).encode()))
    by_key = dead_letters.read(replace(FAILED, value=json.dumps({"idempotency_key": "once"}).encode()))
    assert (by_id.job_id, by_key.job_id) == ("abc", job_id("once"))
    by_event = dead_letters.read(replace(FAILED, value=json.dumps({"event_id": "e"}).encode()))
    assert by_event.job_id == job_id(reference_key("e"))
    for value in (None, b"no JSON", b"[]", b'{"event_id": 7}'):
        letter = dead_letters.read(
            arrived(dead_letters.write(replace(FAILED, value=value), CAUSE, SITE, attempt=1))
        )
        assert letter.job_id == job_id(record_key(str(FAILED.coordinates)))
    assert dead_letters.read(replace(FAILED, topic="x.audio.objects")).job_id is None


def test_messages_and_stack_traces_are_bounded() -> None:
    """The first thousand characters of a message, the last four thousand of a trace."""
    cause = replace(CAUSE, message="m" * 9_999, stack_trace="a" * 9_999 + "z")
    letter = dead_letters.read(arrived(dead_letters.write(FAILED, cause, SITE, attempt=1)))
    assert len(letter.message) == MESSAGE_CHARACTERS_LIMIT
    assert len(letter.stack_trace) == STACK_TRACE_CHARACTERS_LIMIT
    assert letter.stack_trace.endswith("z")


def test_a_letter_without_its_value_is_told_from_one_that_never_had_any() -> None:
    """Sent back, the first would be nothing; the second is a tombstone, and goes as it was."""
    output = OutgoingRecord("audio.transcripts", b"k", b"v" * 9, ())
    refused = dead_letters.undeliverable_letter(output, message="too large", now_ms=5)
    tombstone = dead_letters.write(replace(FAILED, value=None), CAUSE, SITE, attempt=1)
    assert dead_letters.read(arrived(refused)).lacks_value
    assert not dead_letters.read(arrived(tombstone)).lacks_value


def test_an_output_that_is_refused_leaves_a_small_dead_letter() -> None:
    """Its value and its large headers are named by size and digest instead of carried."""
    output = OutgoingRecord("audio.transcripts", b"k", b"v" * 9, (("big", b"b" * 9_999), ("small", b"s")))
    letter = dead_letters.undeliverable_letter(output, message="too large", now_ms=5)
    assert (letter.topic, letter.key, letter.value) == ("audio.transcripts.dlq", b"k", None)
    headers = dict(letter.headers)
    assert headers["kascribe-reason"] == b"output_too_large"
    assert headers["kascribe-value-size-bytes"] == b"9"
    assert "big" not in headers
    assert headers["small"] == b"s"


anybodys_headers = st.lists(
    st.tuples(
        st.sampled_from(
            [name for name, _ in dead_letters.write(FAILED, CAUSE, SITE, attempt=1).headers]
            + [*sorted(history.NAMES), "x"]
        ),
        st.none() | st.binary(max_size=30) | st.integers(0, 10**20).map(lambda number: str(number).encode()),
    )
)


nested = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["job_id", "idempotency_key", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(anybodys_headers, st.none() | st.binary(max_size=50) | nested.map(lambda value: json.dumps(value).encode()))
@example([], b"[" * 100_000)
@example([], b'{"idempotency_key": "\\ud800"}')
@example([], b'{"job_id": "\\udfff"}')
@example(
    [(f"{dead_letters.SPRING}original-topic", b"t"), (f"{dead_letters.SPRING}original-offset", b"o" * 9_000)], None
)
def test_no_dead_letter_makes_the_reader_fail(
    headers: list[tuple[str, bytes | None]], value: bytes | None
) -> None:
    """Whatever stands in the headers and the value, it is read, and it can be sent back."""
    letter = dead_letters.read(Record("x.dlq", 0, 0, None, value, tuple(headers)))
    dead_letters.redrive(letter, topic="audio.references.retry.10s", now_ms=1)


@given(anybodys_headers)
@example([(history.ATTEMPT, b"9999999999")])
@example([(history.SPRING_ATTEMPTS, b"text12")])
@example([(history.FIRST_SEEN_MS, b"9" * 19)])
@example([(history.ORIGIN_TOPIC, b"t"), (history.ORIGIN_PARTITION, b"9" * 10), (history.ORIGIN_OFFSET, b"1")])
def test_no_header_keeps_a_record_from_being_given_up_or_tried_again(
    headers: list[tuple[str, bytes | None]],
) -> None:
    """Whatever published it: its dead letter and its retry can be written, and are read back unchanged."""
    record = Record("audio.references", 0, 7, None, b"v", tuple(headers), timestamp_ms=5)
    letter = dead_letters.write(record, CAUSE, SITE, attempt=history.read(record).attempt)
    assert dead_letters.read(arrived(letter)).reason == CAUSE.reason
    again = retried(record, Retry("audio.references.retry.10s", 5_000, 2, Reason.INTERNAL_ERROR))
    assert (history.read(arrived(again)).attempt, history.due_at(arrived(again))) == (2, 5_000)
