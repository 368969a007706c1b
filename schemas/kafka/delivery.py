"""What leaves together: outputs, and the offsets that they make complete."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.kafka.records import OutgoingRecord

Partition = tuple[str, int]
"""A topic's name and a partition's number."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed offset (the next one to read) and the metadata beside it."""

    offset: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Outputs, and commits that hold only once all of these outputs are delivered. Either may be empty.

    ``group_metadata`` is the consumer's, as its client library gives it; only transactions look at it.
    """

    outputs: tuple[OutgoingRecord, ...] = ()
    commits: Mapping[Partition, Commit] = field(default_factory=dict)
    group_metadata: object = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch whose outputs the broker has confirmed, all of them.

    ``committed`` tells whether its commits went out with them (a transaction); else its owner commits now.
    """

    batch: Batch
    committed: bool
