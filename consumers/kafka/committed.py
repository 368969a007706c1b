"""What is committed of newly assigned partitions, asked until the broker says it."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import is_fatal
from schemas.clock import Clock

REQUEST_SECONDS: Final = 10.0
"""Of one question. The owner thread waits for it, so it is well below what counts as a loop that hangs."""

DEADLINE_SECONDS: Final = 120.0
"""Of all tries. Coordinators move in seconds; the group evicts a member that does not poll after 300 s."""

FINAL: Final = frozenset(
    {
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.UNRELEASED_INSTANCE_ID,
        KafkaError._INVALID_ARG,  # noqa: SLF001 - the client's public names
        KafkaError._STATE,  # noqa: SLF001
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001
    }
)
"""What no second try changes. Anything else may be a coordinator that moves, or a group that rebalances again."""

_log: Final = structlog.get_logger(__name__)


def committed(
    consumer: Consumer,
    assigned: Sequence[TopicPartition],
    *,
    between: Callable[[], None],
    stopped: Callable[[], bool],
    clock: Clock,
) -> list[TopicPartition] | None:
    """Offset and metadata of every partition; None once ``stopped``. Blocks; calls ``between`` before each retry.

    Raises KafkaException for an error that is final, and for any other one after the deadline.
    """
    deadline = clock.monotonic() + DEADLINE_SECONDS
    while not stopped():
        positions, error = _ask(consumer, assigned)
        if error is None:
            return positions
        if is_fatal(error) or error.code() in FINAL or clock.monotonic() >= deadline:
            raise KafkaException(error)
        _log.warning("the broker does not say yet what is committed", code=error.name(), error=error.str())
        between()
    return None


def _ask(consumer: Consumer, assigned: Sequence[TopicPartition]) -> tuple[list[TopicPartition], KafkaError | None]:
    try:
        positions = consumer.committed(list(assigned), timeout=REQUEST_SECONDS)
    except KafkaException as error:
        return [], error.args[0]
    return positions, next((position.error for position in positions if position.error is not None), None)
