"""The admin client without a broker: it answers requests with what the test sets."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaError, Node, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._group import ConsumerGroupDescription, MemberAssignment, MemberDescription
from confluent_kafka.admin._listoffsets import ListOffsetsResultInfo

from schemas.kafka.delivery import Partition


class AdminDouble(AdminClient):
    """Members of the group with their partitions, and the ends of partitions; ``error`` fails every request."""

    def __init__(self) -> None:
        super().__init__({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
        self.members: dict[str, list[Partition]] = {}
        self.ends: dict[Partition, int] = {}
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

    def _answered(self, result: object) -> "Future[Any]":
        future: Future[Any] = Future()
        if self.error is None:
            future.set_result(result)
        else:
            # As the client does it: the error is no exception.
            future.set_exception(self.error)  # type: ignore[arg-type]
        return future
