"""Objects with jobs that have ended, remembered from one run to the next: they need no further request."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from producers.reconciler.drops import StoredObject

REMEMBERED_LIMIT: Final = 500_000
"""About 60 MB. Beyond it objects are looked up in every run."""

DIGEST_BYTES: Final = 16


@dataclass(slots=True)
class SettledObjects:
    """Belongs to one thread."""

    _before: set[bytes] = field(default_factory=set)
    _now: set[bytes] = field(default_factory=set)

    def includes(self, found: StoredObject) -> bool:
        """Return whether the object is settled, and keep it for the next run."""
        digest = _digest(found)
        is_settled = digest in self._before or digest in self._now
        if is_settled:
            self._add(digest)
        return is_settled

    def add(self, found: StoredObject) -> None:
        """Remember an object. No effect when too many are remembered."""
        self._add(_digest(found))

    def _add(self, digest: bytes) -> None:
        if len(self._now) < REMEMBERED_LIMIT:
            self._now.add(digest)

    def complete(self) -> None:
        """Forget what a run over all objects has not seen."""
        self._before, self._now = self._now, set()


def _digest(found: StoredObject) -> bytes:
    parts = (found.bucket, found.key, found.version_id or "", found.etag, found.modified_at.isoformat())
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=DIGEST_BYTES).digest()
