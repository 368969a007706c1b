"""Writes of many threads, committed together: a commit waits for the disk, whatever it holds."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from consumers.archive.changes import Change
from consumers.archive.database import ArchiveDatabase
from schemas.errors import JobError, PermanentError

BATCH_LIMIT: Final = 200
"""Changes in one transaction; more wait for the next."""


@dataclass(slots=True)
class _Waiting:
    changes: Sequence[Change]
    is_done: bool = False
    error: JobError | None = None


@dataclass(slots=True)
class GroupWriter:
    """Writes for many threads. The thread that comes first writes for all that came while the last commit ran."""

    database: ArchiveDatabase
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def write(self, changes: Sequence[Change]) -> None:
        """Write changes and return once they are committed. Raises DependencyDown, or InvalidEvent for these."""
        if not changes:
            return
        mine = _Waiting(changes)
        self._waiting.append(mine)
        with self._turn:
            while not mine.is_done:
                self._write_batch()
        if mine.error is not None:
            raise mine.error

    def _write_batch(self) -> None:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < BATCH_LIMIT:
            batch.append(self._waiting.popleft())
        error = self._try(batch)
        for each in batch:
            # One value that the database refuses must not fail those beside it.
            each.error = self._try([each]) if isinstance(error, PermanentError) and len(batch) > 1 else error
            each.is_done = True

    def _try(self, batch: Sequence[_Waiting]) -> JobError | None:
        try:
            self.database.apply([change for each in batch for change in each.changes])
        except JobError as error:
            return error
        return None
