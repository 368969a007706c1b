"""Dead letters on a broker: listed, filtered, sent back once."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import pytest
from confluent_kafka import Consumer, TopicPartition
from pydantic import SecretStr

from consumers.dead_letters import DeadLetterReader, FoundLetter
from producers.dead_letters import Redrive, RedriveResult
from producers.publisher import Publisher
from schemas.errors import DependencyDown, NotDelivered
from schemas.kafka import dead_letters, history, redrive_marks
from schemas.kafka.dead_letters import Cause, DeadLetter, Selection, Site
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.kafka.topics import dead_letter_topic
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import create_topics, running, send, settings_for
from tests.flow.stages import TOPIC, CommandStage
from tests.support.clock import HandClock

ORIGIN: Final = "audio.references"
LETTERS: Final = "audio.references.dlq"
RETRIES: Final = "audio.references.retry.10s"
MARKS: Final = "audio.redriven"
REASONS: Final = ("audio_not_found", "audio_undecodable")
PRODUCE, LIST_OFFSETS = 0, 2
TOPIC_AUTHORIZATION_FAILED, MESSAGE_TOO_LARGE = 29, 10


@pytest.fixture
def settings(broker: MockCluster) -> KafkaSettings:
    """Fill a broker with ten dead letters in two partitions, of two reasons in turn, and retry topics."""
    for topic in (ORIGIN, RETRIES, "audio.references.retry.5m", "audio.objects.retry.1s"):
        broker.create_topic(topic)
    broker.create_topic(LETTERS, partitions=2)
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    with Publisher(settings) as publisher:
        publisher.publish(letter(n) for n in range(10))
    return settings


def letter(number: int, *, origin: str = ORIGIN) -> OutgoingRecord:
    """Build the dead letter of the record at this offset."""
    headers = (("traceparent", b"00"),)
    return dead_letters.write(
        Record(origin, 0, number, f"key {number}".encode(), f"value {number}".encode(), headers, 7),
        Cause(REASONS[number % 2], "deliberate"),
        Site("transcriber", "kascribe.transcriber", failed_ms=1_000 + number),
        attempt=4,
    )


def read(settings: KafkaSettings) -> list[FoundLetter]:
    """Return what `list` shows, in the order of the origin's offsets."""
    with DeadLetterReader(settings, [LETTERS]) as reader:
        return sorted(reader.read(), key=lambda found: found.letter.origin)


def send_back(settings: KafkaSettings, included: Callable[[DeadLetter], bool]) -> int:
    """Do what `redrive` does: send back and mark the included letters that were not redriven yet."""
    return outcome(settings, included).count


def outcome(settings: KafkaSettings, included: Callable[[DeadLetter], bool] = lambda _: True) -> RedriveResult:
    """Redrive likewise, and return the refused letters too."""
    with DeadLetterReader(settings, [LETTERS]) as reader, Publisher(settings) as publisher:
        letters = (found.letter for found in reader.read() if not found.redriven and included(found.letter))
        return redrive(settings, reader, publisher).send(letters)


def written(broker: MockCluster, topic: str) -> int:
    """Count the records of the topic's one partition."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "counting", "log_level": 0})
    first, after_last = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    consumer.close()
    return after_last - first


def redrive(settings: KafkaSettings, reader: DeadLetterReader, publisher: Publisher) -> Redrive:
    """Build a redrive at a fixed time."""
    clock = HandClock()
    clock.seconds = 5.0
    return Redrive(settings, publisher, reader.destination, clock=clock)


def test_every_letter_is_listed_with_its_reason_and_origin(settings: KafkaSettings) -> None:
    """All partitions, all of it, nothing redriven yet; reading changes nothing."""
    for _ in range(2):
        found = read(settings)
        assert [f.letter.origin for f in found] == [Coordinates(ORIGIN, 0, n) for n in range(10)]
        assert [f.letter.reason for f in found] == list(REASONS) * 5
        assert not any(f.redriven for f in found)


def test_a_letter_goes_back_once_and_is_marked(settings: KafkaSettings, broker: MockCluster) -> None:
    """The selected ones are sent back as new; a repeat of the same command finds nothing left to do."""
    selection = Selection(reason="audio_not_found", since_ms=1_002)
    assert send_back(settings, selection.includes) == 4
    assert send_back(settings, selection.includes) == 0
    sent = records_on(broker.bootstrap_servers, RETRIES, count=4)
    assert sorted(record.value or b"" for record in sent) == [b"value 2", b"value 4", b"value 6", b"value 8"]
    past = [history.read(record) for record in sent]
    assert {p.attempt for p in past} == {1}
    assert sorted(p.origin.offset for p in past) == [2, 4, 6, 8]
    assert [f.letter.origin.offset for f in read(settings) if f.redriven] == [2, 4, 6, 8]


def test_the_rest_can_follow_later(settings: KafkaSettings) -> None:
    """Marks of several runs add up, in any order."""
    assert send_back(settings, Selection(since_ms=1_007).includes) == 3
    assert send_back(settings, Selection(until_ms=1_003).includes) == 3
    assert send_back(settings, lambda _: True) == 4
    assert all(found.redriven for found in read(settings))
    assert send_back(settings, lambda _: True) == 0


def test_a_letter_that_the_broker_does_not_have_is_not_marked(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """Marks follow the letters: one that was marked first and never arrived would be lost."""
    broker.fail_next(PRODUCE, *[TOPIC_AUTHORIZATION_FAILED] * 10)
    with pytest.raises(NotDelivered, match=r"0 letters went back, then the broker said: .*authorization"):
        send_back(settings, lambda _: True)
    broker.fail_next(PRODUCE)
    assert not any(found.redriven for found in read(settings))


def test_a_crash_before_the_mark_sends_the_letters_again(settings: KafkaSettings, broker: MockCluster) -> None:
    """Between publishing and marking, the letters are at the broker twice rather than lost: at least once."""

    class Crashing(Publisher):
        """A publisher that ends before it publishes marks, as a process does that is killed there."""

        def publish(self, records: Iterable[OutgoingRecord], *, timeout_seconds: float = 30.0) -> int:
            if any(record.topic == MARKS for record in records):
                raise KeyboardInterrupt
            return super().publish(records, timeout_seconds=timeout_seconds)

    with DeadLetterReader(settings, [LETTERS]) as reader, Crashing(settings) as publisher:
        letters = [found.letter for found in reader.read()]
        with pytest.raises(KeyboardInterrupt):
            redrive(settings, reader, publisher).send(letters)
    assert not any(found.redriven for found in read(settings))
    assert send_back(settings, lambda _: True) == 10
    assert written(broker, RETRIES) == 20
    sent = records_on(broker.bootstrap_servers, RETRIES, count=20)
    assert sorted(record.key or b"" for record in sent) == sorted([f"key {n}".encode() for n in range(10)] * 2)


def test_letters_go_to_the_shortest_retry_topic_of_their_own_topic(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """There consumers accept an origin; a topic without a retry topic gets its letters as new records."""
    broker.create_topic("audio.objects.dlq")
    broker.create_topic("audio.transcripts.dlq")
    broker.create_topic("audio.transcripts")
    with Publisher(settings) as publisher:
        publisher.publish([letter(1, origin="audio.objects.retry.1s"), letter(2, origin="audio.transcripts")])
    topics = [LETTERS, "audio.objects.dlq", "audio.transcripts.dlq"]
    with DeadLetterReader(settings, topics) as reader:
        letters = [found.letter for found in reader.read()]
        destinations = {each.record.topic: reader.destination(each) for each in letters}
        # One metadata request for each of 100,000 letters would take longer than sending them.
        broker.stop_broker()
        assert {each.record.topic: reader.destination(each) for each in letters} == destinations
    assert destinations == {
        LETTERS: RETRIES,
        "audio.objects.dlq": "audio.objects.retry.1s",
        "audio.transcripts.dlq": "audio.transcripts",
    }


def test_a_letter_goes_to_no_topic_that_its_headers_name(settings: KafkaSettings, broker: MockCluster) -> None:
    """A forged origin would make redrive write anywhere with the operator's rights."""
    broker.create_topic("payments")
    forged = history.write(history.History(1, Coordinates("payments", 0, 1), 7), ())
    forged += (
        (f"{dead_letters.CONNECT}topic", b"payments"),
        (f"{dead_letters.SPRING}original-topic", b"payments"),
    )
    with Publisher(settings) as publisher:
        publisher.publish([OutgoingRecord(LETTERS, b"forged", b"{}", forged)])
    assert send_back(settings, lambda _: True) == 11
    assert (written(broker, RETRIES), written(broker, "payments")) == (11, 0)


def test_a_letter_that_is_too_large_is_named_and_the_others_go_on(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """The large one stays a letter, which can be sent once there is room for it."""
    small = settings.model_copy(update={"properties": {"message.max.bytes": SecretStr("200000")}})
    large = dead_letters.write(
        Record(ORIGIN, 0, 99, b"large", b"x" * 300_000), Cause("r", "m"), Site("s", "g", 9), attempt=1
    )
    with Publisher(settings) as publisher:
        publisher.publish([large])
    done = outcome(small)
    assert done.count == 10
    (sentence,) = done.refused
    assert sentence.startswith(f"{LETTERS}[")
    assert "max.message.bytes of audio.references.retry.10s" in sentence
    assert outcome(small).refused == [sentence]
    assert outcome(settings).count == 1
    assert written(broker, RETRIES) == 11


def test_one_letter_that_the_broker_refuses_does_not_hold_those_sent_with_it(
    settings: KafkaSettings, broker: MockCluster
) -> None:
    """The broker refuses a whole batch for one record: each goes alone then, and is refused for itself."""
    broker.fail_next(PRODUCE, MESSAGE_TOO_LARGE, MESSAGE_TOO_LARGE)
    done = outcome(settings)
    assert done.count == 9
    (sentence,) = done.refused
    assert "was refused (Broker: Message size too large)" in sentence
    assert outcome(settings).count == 1


def test_marks_are_of_letters_and_not_of_their_offsets(settings: KafkaSettings) -> None:
    """A topic that was deleted and made again has other letters at the same offsets: none of them went back."""
    assert send_back(settings, lambda _: True) == 10
    first = read(settings)[0].letter.record
    marks = [redrive_marks.mark(replace(first, timestamp_ms=first.timestamp_ms - 1), topic=MARKS)]
    with Publisher(settings) as publisher:
        publisher.publish(marks)
    assert [found.redriven for found in read(settings)] == [False] + [True] * 9


def test_marks_of_letters_that_are_gone_are_removed(settings: KafkaSettings) -> None:
    """So the topic of marks is no longer than the letters, although it never expires."""
    gone = Coordinates(LETTERS, 0, 3)
    marks = redrive_marks.Marks(
        Record(MARKS, 0, n, str(letter).encode(), b"7")
        for n, letter in enumerate([gone, Coordinates(LETTERS, 0, 4), Coordinates(LETTERS, 1, 3)])
    )
    assert marks.before((LETTERS, 0), 4) == [gone]
    with DeadLetterReader(settings, [LETTERS]) as reader, Publisher(settings) as publisher:
        sender = redrive(settings, reader, publisher)
        sender.send(found.letter for found in reader.read())
        sender.forget([read(settings)[0].letter.record.coordinates])
    assert [found.redriven for found in read(settings)] == [False] + [True] * 9


def test_a_letter_is_found_by_its_coordinates(settings: KafkaSettings) -> None:
    """As a list shows them; another offset has none."""
    wanted = read(settings)[3].letter
    with DeadLetterReader(settings, [LETTERS]) as reader:
        found = reader.find(wanted.record.coordinates)
        assert found is not None
        assert found.letter == wanted
        assert reader.find(Coordinates(LETTERS, 0, 999)) is None


def test_topics_that_do_not_exist_have_no_letters(settings: KafkaSettings) -> None:
    """A deployment that never failed has nothing to show, which is no error."""
    with DeadLetterReader(settings, ["nothing.dlq"]) as reader:
        assert list(reader.read()) == []


def test_a_broker_that_does_not_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the request's time, as an error that names Kafka."""
    monkeypatch.setattr("consumers.kafka.partition_reader.REQUEST_TIMEOUT_SECONDS", 0.3)
    with (
        DeadLetterReader(KafkaSettings(bootstrap_servers="127.0.0.1:9"), [LETTERS]) as reader,
        pytest.raises(DependencyDown, match="no broker answers"),
    ):
        list(reader.read())


def test_a_broker_that_refuses_is_reported_in_our_words(settings: KafkaSettings, broker: MockCluster) -> None:
    """The command ends with a sentence."""
    with DeadLetterReader(settings, [LETTERS]) as reader:
        broker.fail_next(LIST_OFFSETS, *[TOPIC_AUTHORIZATION_FAILED] * 4)
        with pytest.raises(DependencyDown, match="cannot be read"):
            list(reader.read())


def test_a_redriven_letter_is_worked_on_as_the_record_that_it_was_made_of(broker: MockCluster) -> None:
    """At once and from the first attempt, with the coordinates that own its job: a new failure says the same."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["bad"])
    letters = dead_letter_topic(TOPIC)
    settings = settings_for(broker.bootstrap_servers)
    with running(CommandStage(), settings) as started:
        records_on(broker.bootstrap_servers, letters, count=1, timeout_seconds=30)
        with DeadLetterReader(settings.kafka, [letters]) as reader, Publisher(settings.kafka) as publisher:
            sender = redrive(settings.kafka, reader, publisher)
            assert sender.send([found.letter for found in reader.read()]).count == 1
        read = [
            dead_letters.read(record)
            for record in records_on(broker.bootstrap_servers, letters, count=2, timeout_seconds=30)
        ]
        started.stop()
    assert [(each.origin, each.attempt) for each in read] == [(Coordinates(TOPIC, 0, 0), 1)] * 2
    assert [each.redrives for each in read] == [0, 1]
