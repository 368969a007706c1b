"""The real servers as the integration tests use them: one private stack a session, with unique names in it."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from deploy.stack import Stack, Topic
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RECORD_TIMEOUT_SECONDS: Final = 30.0


class PrivateStack:
    """A stack of this test session alone. Tests share it, so each takes new topics and buckets."""

    def __init__(self, servers: Stack, s3: "S3Client") -> None:
        self.servers = servers
        self.s3 = s3

    @property
    def bootstrap_servers(self) -> str:
        """The addresses for Kafka clients."""
        return self.servers.bootstrap_servers

    @property
    def environment(self) -> dict[str, str]:
        """The variables that Kascribe's settings need to use the stack; a copy, to be changed at will."""
        return dict(self.servers.environment)

    def new_prefix(self) -> str:
        """Return a unique topic prefix, consumer group or transactional id; it ends with a dot."""
        return f"t{uuid.uuid4().hex[:10]}."

    def new_topics(self, *names: str, partitions: int = 1) -> str:
        """Create the topics under a prefix of their own and return it: `prefix + name` is ready to use."""
        prefix = self.new_prefix()
        self.servers.create_topics([Topic(prefix + name, partitions) for name in names])
        return prefix

    def new_topic(self, *, partitions: int = 1) -> str:
        """Create one topic and return its name."""
        return self.new_topics("records", partitions=partitions) + "records"

    def new_bucket(self, *, notify_topic: str | None = None) -> str:
        """Create a versioned bucket and return its name; its new objects are announced on `notify_topic`, twice.

        A topic that no bucket used before restarts MinIO, which takes a second.
        """
        name = f"t{uuid.uuid4().hex[:16]}"
        self.servers.create_bucket(name, notify_topic=notify_topic)
        return name

    def producer(self, **settings: str | float | bool) -> Producer:
        """Make a producer for this stack."""
        return Producer({**self._client_settings(), **settings})

    def consumer(self, **settings: str | float | bool) -> Consumer:
        """Make a consumer in its own group, from the beginning, that commits nothing by itself; close it."""
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
        """Read a topic from its beginning until `until` is satisfied with the records; return them."""
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
        """Delete the groups of a prefix, with their offsets, as the broker does after a week without a member."""
        admin = AdminClient(self._client_settings())
        groups = admin.list_consumer_groups().result().valid
        names = [group.group_id for group in groups if group.group_id.startswith(prefix)]
        for deleted in admin.delete_consumer_groups(names).values() if names else ():
            deleted.result()

    def shorten_session(self, group: str, milliseconds: int) -> None:
        """Make the broker miss a killed member of the group after this time, which is 45 s by default."""
        shorter = ConfigEntry(
            "consumer.session.timeout.ms", str(milliseconds), incremental_operation=AlterConfigOpType.SET
        )
        resource = ConfigResource(ConfigResource.Type.GROUP, group, incremental_configs=[shorter])
        admin = AdminClient(self._client_settings())
        for answer in admin.incremental_alter_configs([resource]).values():
            answer.result()

    def topic_property(self, topic: str, name: str) -> str:
        """Return one of a topic's properties, as the broker reports it."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        admin = AdminClient(self._client_settings())  # the client must live as long as its answers
        (answer,) = admin.describe_configs([resource]).values()
        return str(answer.result()[name].value)

    def _client_settings(self) -> dict[str, str | float | bool]:
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,  # servers come and go on purpose
        }
