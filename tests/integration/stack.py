"""The real servers as the integration tests use them: one private stack a session, names of one's own in it."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from deploy.stack import Stack, Topic
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RECORD_TIMEOUT_SECONDS = 30.0


class PrivateStack:
    """A stack that nobody but this test session uses. Tests share it, so each takes new topics and buckets."""

    def __init__(self, servers: Stack, s3: "S3Client") -> None:
        self.servers = servers
        self.s3 = s3

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka clients connect to."""
        return self.servers.bootstrap_servers

    @property
    def environment(self) -> dict[str, str]:
        """What Kascribe's settings need to use the stack; copy and change at will."""
        return dict(self.servers.environment)

    def new_prefix(self) -> str:
        """A topic prefix, a consumer group or a transactional id that nobody else has; ends with a dot."""
        return f"t{uuid.uuid4().hex[:10]}."

    def new_topics(self, *names: str, partitions: int = 1) -> str:
        """Creates the topics under a prefix of their own, which it returns: `prefix + name` is ready to use."""
        prefix = self.new_prefix()
        self.servers.create_topics([Topic(prefix + name, partitions) for name in names])
        return prefix

    def new_topic(self, *, partitions: int = 1) -> str:
        """Creates one topic and returns its name."""
        return self.new_topics("records", partitions=partitions) + "records"

    def new_bucket(self, *, notify_topic: str | None = None) -> str:
        """Creates a versioned bucket and returns its name; its new objects are announced on `notify_topic`, twice.

        A topic that no bucket used before restarts MinIO, which takes a second.
        """
        name = f"t{uuid.uuid4().hex[:16]}"
        self.servers.create_bucket(name, notify_topic=notify_topic)
        return name

    def producer(self, **settings: str | float | bool) -> Producer:
        """A producer for this stack."""
        return Producer({**self._client_settings(), **settings})

    def consumer(self, **settings: str | float | bool) -> Consumer:
        """A consumer in a group of its own, from the beginning, that commits nothing by itself; close it."""
        defaults = {
            "group.id": self.new_prefix() + "group",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        return Consumer({**self._client_settings(), **defaults, **settings})

    def records(
        self,
        topic: str,
        until: Callable[[list[Message]], bool],
        *,
        timeout_seconds: float = RECORD_TIMEOUT_SECONDS,
    ) -> list[Message]:
        """What the topic holds, read from its beginning until `until` is satisfied with it."""
        seen: list[Message] = []
        consumer = self.consumer()

        def satisfied() -> bool:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                seen.append(message)
            return until(seen)

        try:
            partitions = consumer.list_topics(topic, timeout=timeout_seconds).topics[topic].partitions
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
            eventually(satisfied, timeout_seconds=timeout_seconds, interval_seconds=0, what=f"enough on {topic}")
        finally:
            consumer.close()
        return seen

    def delete_groups(self, prefix: str) -> None:
        """Deletes the groups whose names begin so, with their offsets: what the broker does after a week without a
        member.
        """
        admin = AdminClient(self._client_settings())
        groups = admin.list_consumer_groups().result().valid
        names = [group.group_id for group in groups if group.group_id.startswith(prefix)]
        for deleted in admin.delete_consumer_groups(names).values() if names else ():
            deleted.result()

    def topic_property(self, topic: str, name: str) -> str:
        """One of a topic's properties, as the broker says it."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        admin = AdminClient(self._client_settings())  # its answers end with it
        (answer,) = admin.describe_configs([resource]).values()
        return str(answer.result()[name].value)

    def _client_settings(self) -> dict[str, str | float | bool]:
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,  # servers come and go on purpose
        }
