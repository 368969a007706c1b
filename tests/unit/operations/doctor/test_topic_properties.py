"""What the properties of topics mean: one row for each kind, whatever the broker says."""

from dataclasses import replace
from typing import Final

import pytest

from kascribe.operations.doctor.findings import State
from kascribe.operations.doctor.kafka.topics import TopicState, judged
from schemas.settings import KafkaSettings, Settings

SETTINGS: Final = Settings(kafka=KafkaSettings(topic_partitions=12))
WELL: Final = TopicState(
    name="audio.references",
    partitions=12,
    replicas=3,
    fewest_in_sync=3,
    leaderless=0,
    properties={
        "min.insync.replicas": "2",
        "max.message.bytes": "4194304",
        "retention.ms": "604800000",
        "cleanup.policy": "delete",
    },
)


def states_of(*topics: TopicState) -> dict[str, State]:
    """Return the state of each row."""
    return {found.name: found.state for found in judged(topics, SETTINGS)}


def with_property(name: str, value: str, *, topic: str = WELL.name) -> TopicState:
    """Return a topic that is well but for one property."""
    return replace(WELL, name=topic, properties={**WELL.properties, name: value})


def test_topics_that_keep_what_is_promised_are_ok() -> None:
    """Every row."""
    assert set(states_of(WELL).values()) == {State.OK}


@pytest.mark.parametrize(
    ("topic", "row", "state"),
    [
        (replace(WELL, leaderless=1), "leaders", State.FAILED),
        (replace(WELL, partitions=1), "partitions", State.WARNING),
        (with_property("min.insync.replicas", "4"), "replication", State.FAILED),
        (with_property("min.insync.replicas", "3"), "replication", State.WARNING),
        (with_property("min.insync.replicas", "1"), "replication", State.WARNING),
        (replace(WELL, fewest_in_sync=1), "replication", State.FAILED),
        (replace(with_property("min.insync.replicas", "1"), replicas=1), "replication", State.WARNING),
        (with_property("max.message.bytes", "999999"), "record size", State.FAILED),
        (
            with_property("max.message.bytes", "1048588", topic="audio.references.dlq"),
            "record size",
            State.WARNING,
        ),
        (with_property("max.message.bytes", "1048588"), "record size", State.OK),
        (with_property("retention.ms", "3600000"), "retention", State.WARNING),
        (with_property("retention.ms", "600000", topic="audio.references.retry.10m"), "retention", State.FAILED),
        (with_property("retention.ms", "172800000", topic="audio.references.dlq"), "retention", State.WARNING),
        (with_property("retention.ms", "-1"), "retention", State.OK),
        (with_property("cleanup.policy", "compact"), "cleanup", State.FAILED),
        (with_property("cleanup.policy", "compact,delete"), "cleanup", State.FAILED),
    ],
)
def test_a_property_that_breaks_a_promise_has_its_row(topic: TopicState, row: str, state: State) -> None:
    """And leaves the other rows as they are."""
    others = replace(WELL, name="audio.objects")
    states = states_of(others, topic)
    assert states.pop(row) is state
    assert set(states.values()) == {State.OK}


def test_a_row_that_is_not_ok_says_what_to_do() -> None:
    """Each has a remedy, and names the topic."""
    for found in judged([with_property("cleanup.policy", "compact")], SETTINGS):
        assert bool(found.remedy) is (found.state is not State.OK)
        assert found.state is State.OK or WELL.name in found.found


def test_properties_that_may_not_be_read_are_no_failure() -> None:
    """Leaders and partitions are known all the same."""
    states = states_of(replace(WELL, properties={}))
    assert states == {"leaders": State.OK, "partitions": State.OK, "topic properties": State.SKIPPED}
