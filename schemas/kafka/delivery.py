"""Batches of outputs, with the offsets to commit after their delivery."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from schemas.kafka.records import OutgoingRecord

Partition = tuple[str, int]
"""Topic name and partition number."""


def _ignore() -> None:
    """No-op: a batch that was delivered needs no acknowledgement."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed offset (the next one to read) and its metadata."""

    offset: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Outputs, and commits that are valid only once all of these outputs are delivered. Either may be empty.

    Only transactions use the rest: ``group_metadata`` is the consumer's, as its client library returns it,
    ``partition`` the one whose outputs and commit these are, ``owner`` the object that submits them.
    """

    outputs: tuple[OutgoingRecord, ...] = ()
    commits: Mapping[Partition, Commit] = field(default_factory=dict)
    group_metadata: object = None
    partition: Partition | None = None
    owner: object = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch with all outputs confirmed by the broker, or one that was ``returned``: nothing of it is published.

    ``committed``: its commits were part of the same transaction; otherwise the caller must commit them now. The
    caller takes a returned batch back and calls ``acknowledge``; while it holds the partition, it submits all that
    it has of it in one batch, with newer metadata.
    """

    batch: Batch
    committed: bool
    returned: bool = False
    acknowledge: Callable[[], None] = field(default=_ignore, compare=False)
