"""The interfaces that the gateway needs from the rest of the system; the wiring provides them."""

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from producers.uploads import StoredUpload
from schemas.kafka.records import OutgoingRecord


class UploadStore(Protocol):
    """Storage of uploaded files in the bucket."""

    def upload(self, source: BinaryIO, *, name: str, content_type: str | None) -> StoredUpload:
        """Store all of ``source``. Blocks, with memory bounded whatever its length.

        Raises DependencyDown when the object store does not answer.
        """
        ...


class RecordPublisher(Protocol):
    """Publisher that waits for the broker."""

    def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish the records; return once the broker has stored every one. Blocks. Raises DependencyDown."""
        ...
