"""The spool: files of uploads on their way from the client to the bucket, limited in number and size."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import Any, Final

from starlette.types import Scope

from producers.gateway.connections.refusals import Refusal, Refusals
from producers.gateway.failures import RequestRefused
from schemas.clock import SystemClock

MEMORY_BYTES: Final = 256 * 1024
"""Of each file, kept in memory; longer ones are on the disk. A short clip needs no disk."""

FREE_BYTES: Final = 256 * 1024**2
FREE_SHARE: Final = 0.1
"""Left free on the disk: the first, or this share of a small disk."""

_SCOPE_KEY: Final = "kascribe.spool"


@dataclass(slots=True)
class Spool:
    """Counts the uploads and their bytes of a process, from their first byte until they are stored or dropped.

    Safe from any thread. ``on_bytes`` is called with the bytes of files that have come; it must not block.
    """

    limit_bytes: int
    upload_limit: int
    refusals: Refusals
    directory: str = field(default_factory=tempfile.gettempdir)
    on_bytes: Callable[[int], object] = lambda _count: None
    used_bytes: int = 0
    uploads: int = 0
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def upload(self, declared_bytes: int) -> Iterator["Upload"]:
        """Admit an upload, of which so many bytes are announced. Raises RequestRefused: 503.

        The upload counts while the context lasts and its files are open.
        """
        self._check(declared_bytes)
        with self._lock:
            if self.uploads >= self.upload_limit:
                raise self._refused(Refusal.UPLOADS, "crowded", "too many uploads are in progress here")
            self.uploads += 1
        upload = Upload(self)
        try:
            yield upload
        finally:
            upload.release()

    def take(self, count: int) -> None:
        """Count bytes that are about to be written. Raises RequestRefused when there is no room for them."""
        self._check(count)
        with self._lock:
            self.used_bytes += count
        self.on_bytes(count)

    def give_back(self, count: int) -> None:
        """Count bytes that are no longer kept."""
        with self._lock:
            self.used_bytes -= count

    def end_upload(self) -> None:
        """Count the end of an upload."""
        with self._lock:
            self.uploads -= 1

    def _check(self, count: int) -> None:
        if self.used_bytes + count > self.limit_bytes:
            raise self._refused(
                Refusal.SPOOL,
                "spool_full",
                "the uploads in progress have no room for this one (KASCRIBE_GATEWAY_SPOOL_LIMIT_BYTES)",
            )
        disk = os.statvfs(self.directory)
        kept_bytes = min(FREE_BYTES, int(FREE_SHARE * disk.f_blocks * disk.f_frsize))
        if disk.f_bavail * disk.f_frsize - count < kept_bytes:
            raise self._refused(
                Refusal.DISK,
                "disk_full",
                "the gateway's temporary directory (TMPDIR) has no room for the upload",
            )

    def _refused(self, kind: Refusal, reason: str, message: str) -> RequestRefused:
        self.refusals.count(kind)
        return RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, reason, f"{message}; try again later")


class Upload:
    """One upload in a spool. It ends when its reader has released it and its files are closed."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._holders = 1
        self._lock = Lock()

    def open_file(self) -> "SpooledFile":
        """Open a file for a part of the upload."""
        with self._lock:
            self._holders += 1
        return SpooledFile(self._spool, self)

    def release(self) -> None:
        """Give up one hold: the reader's, or that of a file."""
        with self._lock:
            self._holders -= 1
            if self._holders:
                return
        self._spool.end_upload()


class SpooledFile(SpooledTemporaryFile[bytes]):
    """A temporary file; its bytes count in the spool until it is closed."""

    def __init__(self, spool: Spool, upload: Upload) -> None:
        super().__init__(max_size=MEMORY_BYTES)
        self._spool = spool
        self._upload: Upload | None = upload
        self._written_bytes = 0

    def write(self, s: Any) -> int:
        """Write bytes at the end. Raises RequestRefused when the spool or the disk has no room for them."""
        count = len(s)
        self._spool.take(count)
        self._written_bytes += count
        return super().write(s)

    def close(self) -> None:
        """Drop the file. Safe to repeat."""
        super().close()
        upload, self._upload = self._upload, None
        if upload is not None:
            self._spool.give_back(self._written_bytes)
            upload.release()


def set_spool(scope: Scope, spool: Spool) -> None:
    """Let the routes of a request find the spool."""
    scope[_SCOPE_KEY] = spool


def spool_of(scope: Scope) -> Spool:
    """Return the spool of the process that handles the request."""
    spool: Spool | None = scope.get(_SCOPE_KEY)
    return spool or Spool(2**62, 2**30, Refusals(SystemClock()))
