"""A topic that is deleted and created again under a consumer with work in flight has a new log."""

from typing import Final

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.kafka.topics import dead_letter_topic, retry_topic
from tests.flow.running import committed, running, send, settings_for
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

NEW_RECORDS: Final = 12
GROUP_SECONDS: Final = 6_000


def _create_again(admin: AdminClient, topic: str) -> None:
    """Delete the topic and create it again as soon as the broker lets it."""
    admin.delete_topics([topic])[topic].result(10)

    def created() -> bool:
        try:
            admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
        except KafkaException:
            return False
        return True

    eventually(created, timeout_seconds=30, interval_seconds=0.05, what="the new topic")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
@pytest.mark.parametrize("old_records", [7, 30], ids=["new-log-longer", "new-log-shorter"])
def test_no_record_of_a_topic_that_is_created_again_is_skipped(
    stack: PrivateStack, protocol: str, old_records: int
) -> None:
    """With a long job of the old log in flight, every record of the new log is processed and committed."""
    prefix = stack.new_topics(TOPIC, retry_topic(TOPIC, 1), OUTPUT, dead_letter_topic(TOPIC))
    topic, servers = prefix + TOPIC, stack.bootstrap_servers
    old = ["hold-old", *(f"echo-old-{n}" for n in range(old_records - 1))]
    new = [f"echo-new-{n}" for n in range(NEW_RECORDS)]
    send(servers, old, topic=topic)
    stage = CommandStage(topics=(topic,), output=prefix + OUTPUT)
    properties = {"session.timeout.ms": GROUP_SECONDS} if protocol == "classic" else None
    settings = settings_for(servers, protocol=protocol, group_prefix=prefix, properties=properties)
    with running(stage, settings) as started:
        eventually(lambda: len(stage.began) == old_records, timeout_seconds=30, what="the old log's records")
        eventually(lambda: committed(servers, topic=topic, group=f"{prefix}commands")[0][1], timeout_seconds=30)
        _create_again(AdminClient({"bootstrap.servers": servers, "log_level": 0}), topic)
        send(servers, new, topic=topic)
        eventually(lambda: set(new) <= set(stage.values()), timeout_seconds=60, what="the new log's records")
        stage.release.set()
        eventually(
            lambda: committed(servers, topic=topic, group=f"{prefix}commands")[0][0] == NEW_RECORDS,
            timeout_seconds=30,
            what="the new log's commit",
        )
        started.stop()
    assert committed(servers, topic=topic, group=f"{prefix}commands")[0][0] == NEW_RECORDS
