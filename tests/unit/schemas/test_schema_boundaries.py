"""Values at the edge of what the schemas allow."""

import pytest
from pydantic import ValidationError

from schemas.kafka import dead_letters, history
from schemas.kafka.dead_letters import Cause, Selection, Site
from schemas.kafka.records import OutgoingRecord, Record
from schemas.settings import KafkaSettings, S3Settings
from schemas.settings.types import TOPIC_PREFIX_CHARACTERS


def letter() -> dead_letters.DeadLetter:
    """Return the dead letter of a job that failed at 1,000 ms."""
    record = Record("audio.references", 0, 1, b"k", b'{"job_id": "j"}')
    site = Site("transcriber", "g", 1_000)
    made = dead_letters.write(record, Cause("audio_empty", "no bytes"), site, attempt=1)
    return dead_letters.read(Record(made.topic, 0, 2, made.key, made.value, made.headers))


def test_a_selection_includes_its_beginning_and_not_its_end() -> None:
    """So two selections that follow each other take every letter once."""
    assert Selection(since_ms=1_000).includes(letter())
    assert not Selection(since_ms=1_001).includes(letter())
    assert not Selection(until_ms=1_000).includes(letter())
    assert Selection(until_ms=1_001).includes(letter())


def test_a_selection_by_job_takes_no_other_job() -> None:
    """A redrive of one job sends nothing else."""
    assert Selection(job_id="j").includes(letter())
    assert not Selection(job_id="other").includes(letter())


def test_a_letter_of_an_output_that_was_too_large_has_no_large_key() -> None:
    """It must not be refused for the size of its key instead."""
    for size, kept in ((1_024, True), (1_025, False)):
        output = OutgoingRecord("audio.progress", b"k" * size, b"{}")
        made = dead_letters.undeliverable_letter(output, message="too large", now_ms=1)
        assert (made.key is not None) is kept


def test_an_attempt_beyond_an_int_is_not_believed() -> None:
    """It has to go into four bytes of other dialects; so must a number with more digits than a long has."""
    for header in ((history.SPRING_ATTEMPTS, (2**31).to_bytes(8, "big")), (history.ATTEMPT, b"0" * 20 + b"7")):
        assert history.read(Record("audio.references.retry.10s", 0, 0, None, b"", (header,))).attempt == 1


def test_a_prefix_leaves_room_for_the_longest_name() -> None:
    """Kafka takes 249 characters."""
    assert KafkaSettings(topic_prefix="a" * TOPIC_PREFIX_CHARACTERS).topic_prefix
    with pytest.raises(ValidationError, match="200"):
        KafkaSettings(topic_prefix="a" * (TOPIC_PREFIX_CHARACTERS + 1))


def test_port_0_is_no_address_of_a_store() -> None:
    """Nothing listens there."""
    with pytest.raises(ValidationError, match="port"):
        S3Settings(endpoint_url="http://store:0")
