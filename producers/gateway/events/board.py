"""The board: the progress of the jobs that this replica saw events of lately, bounded. Belongs to one thread."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from producers.gateway.events.cursors import Position
from producers.gateway.events.progress import SKEW, JobProgress, add_event, precede
from schemas.events import ProgressEvent

JOBS_LIMIT: Final = 10_000
TEXT_LIMIT_CHARACTERS: Final = 32 * 1024**2
"""Of all jobs together."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A job on the board, with the places of the first and the last of its events that were taken."""

    progress: JobProgress
    first: Position
    last: Position


class Board:
    """The latest jobs by id; the job that was silent for longest makes room for a new one.

    It also remembers jobs that had no events when the topic was searched for them: once is enough.
    """

    def __init__(
        self, *, jobs_limit: int = JOBS_LIMIT, text_limit_characters: int = TEXT_LIMIT_CHARACTERS
    ) -> None:
        self._jobs: OrderedDict[str, Entry] = OrderedDict()
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._jobs_limit = jobs_limit
        self._text_limit_characters = text_limit_characters
        self._text_characters = 0
        self._complete_from = datetime.max.replace(tzinfo=UTC)

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def text_characters(self) -> int:
        """Characters of text held."""
        return self._text_characters

    def begin(self, complete_from: datetime) -> None:
        """Set since when every event is taken."""
        self._complete_from = complete_from

    def covers(self, since: datetime) -> bool:
        """Return whether the board has every event of each job that began after a moment."""
        return since - SKEW >= self._complete_from

    def find(self, job_id: str) -> Entry | None:
        """Return a job, if it is on the board."""
        return self._jobs.get(job_id)

    def is_absent(self, job_id: str) -> bool:
        """Return whether the topic was searched for the job in vain, and no event has come since."""
        return job_id in self._absent

    def add(self, position: Position, event: ProgressEvent) -> None:
        """Take the next event of a job."""
        entry = self._jobs.get(event.job_id)
        progress = add_event(entry.progress if entry else None, event)
        if event.job_id in self._absent:
            del self._absent[event.job_id]
            progress = replace(progress, is_whole=True)
        self._put(event.job_id, Entry(progress, entry.first if entry else position, position))

    def complete(self, job_id: str, earlier: Entry | None) -> None:
        """Take what the topic has of a job before its events on the board; None: nothing."""
        later = self._jobs.get(job_id)
        progress = precede(earlier.progress if earlier else None, later.progress if later else None)
        known = earlier or later
        if progress is None or known is None:
            self._absent[job_id] = None
            while len(self._absent) > self._jobs_limit:
                self._absent.popitem(last=False)
        else:
            self._put(job_id, Entry(progress, known.first, (later or known).last))

    def _put(self, job_id: str, entry: Entry) -> None:
        before = self._jobs.pop(job_id, None)
        self._jobs[job_id] = entry
        self._text_characters += len(entry.progress.text) - (len(before.progress.text) if before else 0)
        while self._is_over() and len(self._jobs) > 1:
            _, forgotten = self._jobs.popitem(last=False)
            self._text_characters -= len(forgotten.progress.text)
            self._complete_from = max(self._complete_from, forgotten.progress.latest.occurred_at + SKEW)

    def _is_over(self) -> bool:
        return len(self._jobs) > self._jobs_limit or self._text_characters > self._text_limit_characters
