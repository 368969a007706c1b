"""Batches of outputs, with the offsets to commit after their delivery."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.kafka.records import OutgoingRecord

Partition = tuple[str, int]
"""Topic name and partition number."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed offset (the next one to read) and its metadata."""

    offset: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Outputs, and commits that are valid only once all of these outputs are delivered. Either may be empty.

    ``group_metadata`` is the consumer's, as its client library returns it; only transactions use it.
    """

    outputs: tuple[OutgoingRecord, ...] = ()
    commits: Mapping[Partition, Commit] = field(default_factory=dict)
    group_metadata: object = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch with all outputs confirmed by the broker, or one that was ``returned``: nothing of it is published.

    ``committed``: its commits were part of the same transaction; otherwise the caller must commit them now. The
    caller submits a returned batch again, with newer commits and metadata, while it holds the partition.
    """

    batch: Batch
    committed: bool
    returned: bool = False
