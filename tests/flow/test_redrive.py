"""Dead letters on a broker: listed, filtered, sent back once."""

from collections.abc import Callable, Sequence

import pytest

from consumers.dead_letters import DeadLetterReader, FoundLetter
from producers.dead_letters import redrive
from producers.publisher import Publisher
from schemas import dead_letters, history
from schemas.dead_letters import Cause, DeadLetter, Selection, Site
from schemas.errors import DependencyDown
from schemas.records import Coordinates, Record
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on

ORIGIN = "audio.references"
LETTERS = "audio.references.dlq"
REASONS = ("audio_not_found", "audio_undecodable")
OFFSET_COMMIT, OFFSET_FETCH = 8, 9
GROUP_AUTHORIZATION_FAILED = 30


@pytest.fixture
def settings(broker: MockCluster) -> KafkaSettings:
    """A broker that has ten dead letters in two partitions, of two reasons in turn."""
    broker.create_topic(ORIGIN)
    broker.create_topic(LETTERS, partitions=2)
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    with Publisher(settings) as publisher:
        publisher.publish(
            dead_letters.write(
                Record(ORIGIN, 0, n, f"key {n}".encode(), f"value {n}".encode(), (("traceparent", b"00"),), 7),
                Cause(REASONS[n % 2], "deliberate"),
                Site("transcriber", "kascribe.transcriber", failed_ms=1_000 + n),
                attempt=4,
            )
            for n in range(10)
        )
    return settings


def read(settings: KafkaSettings) -> list[FoundLetter]:
    """What `list` shows, in the order of the origin's offsets."""
    with DeadLetterReader(settings, [LETTERS]) as reader:
        return sorted(reader.read(), key=lambda found: found.letter.origin)


def send_back(settings: KafkaSettings, included: Callable[[DeadLetter], bool]) -> int:
    """What `redrive` does: the letters that were not redriven and are included go back and are marked."""
    with DeadLetterReader(settings, [LETTERS]) as reader, Publisher(settings) as publisher:

        def sent(letters: Sequence[DeadLetter]) -> None:
            for letter in letters:
                reader.mark(letter)
            reader.commit()

        letters = (found.letter for found in reader.read() if not found.redriven and included(found.letter))
        return redrive(letters, publisher, now_ms=lambda: 5_000, sent=sent)


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
    sent = records_on(broker.bootstrap_servers, ORIGIN, count=4)
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


def test_a_crash_before_the_mark_sends_the_letters_again(settings: KafkaSettings) -> None:
    """Between publishing and marking, the letters are at the broker twice rather than lost: at least once."""

    def crash(_: Sequence[DeadLetter]) -> None:
        raise KeyboardInterrupt

    with DeadLetterReader(settings, [LETTERS]) as reader, Publisher(settings) as publisher:
        letters = [found.letter for found in reader.read()]
        with pytest.raises(KeyboardInterrupt):
            redrive(letters, publisher, now_ms=lambda: 5_000, sent=crash)
    assert not any(found.redriven for found in read(settings))
    assert send_back(settings, lambda _: True) == 10


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


def test_a_broker_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the request's time, as an error that names Kafka."""
    monkeypatch.setattr("consumers.dead_letters.REQUEST_TIMEOUT_SECONDS", 0.3)
    with (
        DeadLetterReader(KafkaSettings(bootstrap_servers="127.0.0.1:9"), [LETTERS]) as reader,
        pytest.raises(DependencyDown, match="no broker answers"),
    ):
        list(reader.read())


def test_a_broker_that_refuses_is_told_in_our_words(settings: KafkaSettings, broker: MockCluster) -> None:
    """Whether it refuses to say what went back already or to note it: the command ends with a sentence."""
    with DeadLetterReader(settings, [LETTERS]) as reader:
        reader.mark(next(reader.read()).letter)
        broker.fail_next(OFFSET_COMMIT, GROUP_AUTHORIZATION_FAILED)
        with pytest.raises(DependencyDown, match="cannot be noted"):
            reader.commit()
        broker.fail_next(OFFSET_FETCH, GROUP_AUTHORIZATION_FAILED)
        with pytest.raises(DependencyDown, match="cannot be read"):
            list(reader.read())
