"""The admin client without a broker: it answers requests with what the test sets."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaError, Node, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._group import ConsumerGroupDescription, MemberAssignment, MemberDescription
from confluent_kafka.admin._listoffsets import ListOffsetsResultInfo
from confluent_kafka.admin._topic import TopicDescription

from schemas.kafka.delivery import Partition


class AdminDouble(AdminClient):
    """Members of the group, ends of partitions, ids of topics; ``error`` fails every request."""

    def __init__(self) -> None:
        super().__init__({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
        self.members: dict[str, list[Partition]] = {}
        self.ends: dict[Partition, int] = {}
        self.topic_ids: dict[str, Uuid] = {}
        self.error: KafkaError | None = None

    def describe_consumer_groups(  # type: ignore[override]
        self, group_ids: Sequence[str], **_options: Any
    ) -> dict[str, "Future[Any]"]:
        """Answer with the members."""
        members = [
            MemberDescription(name, "", "", MemberAssignment([TopicPartition(*held) for held in partitions]))
            for name, partitions in self.members.items()
        ]
        return {
            group: self._answered(
                ConsumerGroupDescription(group, False, members, "", ConsumerGroupState.STABLE, Node(1, "", 0))
            )
            for group in group_ids
        }

    def list_offsets(  # type: ignore[override]
        self, topic_partition_offsets: Mapping[TopicPartition, Any], **_options: Any
    ) -> dict[TopicPartition, "Future[Any]"]:
        """Answer with the ends."""
        return {
            position: self._answered(ListOffsetsResultInfo(self.ends[position.topic, position.partition], -1, 0))
            for position in topic_partition_offsets
        }

    def describe_topics(  # type: ignore[override]
        self, topics: TopicCollection, **_options: Any
    ) -> dict[str, "Future[Any]"]:
        """Answer with the ids; a topic without one does not exist."""
        return {
            name: self._answered(TopicDescription(name, self.topic_ids[name], False, []))
            if name in self.topic_ids
            else _failed(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
            for name in topics.topic_names
        }

    def _answered(self, result: object) -> "Future[Any]":
        if self.error is not None:
            return _failed(self.error)
        future: Future[Any] = Future()
        future.set_result(result)
        return future


def _failed(error: KafkaError) -> "Future[Any]":
    future: Future[Any] = Future()
    # As the client does it: the error is no exception.
    future.set_exception(error)  # type: ignore[arg-type]
    return future
