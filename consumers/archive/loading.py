"""Fills a new archive from the bucket, with jobs whose records are gone from the topics."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

import structlog

from consumers.archive import changes
from consumers.archive.bucket import ResultsBucket
from consumers.archive.changes import Change
from consumers.archive.database import ArchiveDatabase
from consumers.metrics import Metrics
from schemas.clock import Clock
from schemas.monitoring import Metric
from schemas.results import AcceptedJob, DeletedJob, FailedRequest, StoredEnrichment, StoredJob

LOADED: Final = Metric(
    "kascribe_archive_loaded_records_total",
    "counter",
    "records",
    (),
    "Objects of the bucket that a new archive was filled with.",
)
THREADS: Final = 16
BATCH_OBJECTS: Final = 100
"""Objects in one transaction: what is read again after a kill."""

_LOCK: Final = 7_249_021_332
"""PostgreSQL's advisory lock of the process that loads the bucket."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BucketLoader:
    """Reads all results of the bucket, notes of deletions first, so that nothing deleted comes back."""

    bucket: ResultsBucket
    database: ArchiveDatabase
    clock: Clock
    metrics: Metrics

    def load(self) -> None:
        """Load what was not loaded yet. Blocks; a later call continues after the last batch that was committed.

        Returns at once when all is loaded, or another process is loading. Raises DependencyDown.
        """
        with self.database.alone(_LOCK) as is_alone:
            after, is_loaded = self.database.loading()
            if is_loaded or not is_alone:
                return
            _log.info("filling the archive from the bucket", after=after)
            count = 0
            with ThreadPoolExecutor(THREADS, "archive-loading") as threads:
                for position, keys in _batches(self._positions(after)):
                    found = [change for each in threads.map(self._read, keys) for change in each]
                    self.database.apply(found, loaded_until=position)
                    self.metrics.counter(LOADED).inc(len(keys))
                    count += len(keys)
            self.database.finish_loading(now_ms=self.clock.now_ms())
            self.database.tidy()
            _log.info("the archive is filled from the bucket", objects=count)

    def _positions(self, after: str | None) -> Iterator[tuple[str, str]]:
        """Yield position and key of every object after a position."""
        folder_done, _, key_done = (after or "").partition(":")
        for folder in list(_FOLDERS)[list(_FOLDERS).index(folder_done) if folder_done else 0 :]:
            start = key_done if folder == folder_done else ""
            for key in self.bucket.keys(f"{self.bucket.prefix}{folder}/", after=start):
                yield f"{folder}:{key}", key

    def _read(self, key: str) -> Sequence[Change]:
        folder = key.removeprefix(self.bucket.prefix).split("/", 1)[0]
        return _FOLDERS[folder](self.bucket, key)


def _deletion(bucket: ResultsBucket, key: str) -> Sequence[Change]:
    note = bucket.find(key, DeletedJob)
    return (changes.noted(note),) if note else ()


def _job(bucket: ResultsBucket, key: str) -> Sequence[Change]:
    stored = bucket.find(key, StoredJob)
    if stored is None:
        return ()
    done = changes.transcribed(stored.event, bucket.transcript(stored.event.transcript_uri))
    return (changes.requested(stored.reference), done) if stored.reference else (done,)


def _accepted(bucket: ResultsBucket, key: str) -> Sequence[Change]:
    job = bucket.find(key, AcceptedJob)
    return (changes.accepted(job),) if job else ()


def _failure(bucket: ResultsBucket, key: str) -> Sequence[Change]:
    failure = bucket.find(key, FailedRequest)
    return (changes.failed(failure),) if failure else ()


def _enrichment(bucket: ResultsBucket, key: str) -> Sequence[Change]:
    stored = bucket.find(key, StoredEnrichment)
    return (changes.enriched(stored.event),) if stored else ()


_FOLDERS: Final[dict[str, Callable[[ResultsBucket, str], Sequence[Change]]]] = {
    "deleted": _deletion,
    "jobs": _job,
    "accepted": _accepted,
    "failures": _failure,
    "enrichments": _enrichment,
}
"""What is read, in this order, by the folder below the prefix of the results."""


def _batches(positions: Iterator[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield batches of keys, each with the position of its last one."""
    while batch := list(islice(positions, BATCH_OBJECTS)):
        yield batch[-1][0], [key for _, key in batch]
