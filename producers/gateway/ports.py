"""What the gateway needs of the rest of the house; the wiring provides it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from schemas.kafka.records import OutgoingRecord


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """Where an upload went, and what it was: ``sha256`` is hexadecimal."""

    uri: str
    etag: str | None
    version_id: str | None
    sha256: str


class UploadStore(Protocol):
    """Takes files into the bucket."""

    def upload(self, source: BinaryIO, *, name: str, content_type: str | None) -> StoredUpload:
        """Stores all of ``source``. Blocks, with memory bounded whatever its length.

        Raises DependencyDown when the object store does not answer.
        """
        ...


class RecordPublisher(Protocol):
    """Puts records on topics."""

    def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Returns once every record is stored by the broker. Blocks. Raises DependencyDown when it is not."""
        ...
