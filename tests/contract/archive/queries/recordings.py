"""Recordings that are added to an archive, as jobs that were requested and transcribed."""

from dataclasses import dataclass
from typing import Any

from producers.archive.answers import JobPage, SearchPage
from producers.archive.filters import JobFilter, SearchFilter
from producers.archive.reads import ArchiveReads
from schemas.errors import Reason
from schemas.events import Phase
from tests.contract.archive.archive_bench import ArchiveBench
from tests.contract.archive.archive_events import at, body, deletion, progress, reference, transcript_event

TENANT = "team"


@dataclass
class Shelf:
    """Adds recordings, each a second after the one before."""

    archive: ArchiveBench
    second: int = 0

    def add(self, key: str, *texts: str, tenant: str = TENANT, language: str = "en", **fields: Any) -> None:
        """Add a finished job with a segment for each text."""
        self.second += 1
        uri = self.archive.put_body(key, body(*texts, language=language))
        asked = reference(key, second=self.second, tenant=tenant, metadata=fields.pop("metadata", {}))
        done = transcript_event(
            key,
            second=self.second + 0.5,
            uri=uri,
            language=language,
            **{**asked.correlation(), "reference_occurred_at": asked.occurred_at, **fields},
        )
        self.archive.feed(asked, done)

    def fail(self, key: str, reason: Reason, *, tenant: str = TENANT) -> None:
        """Add a failed job."""
        self.second += 1
        asked = reference(key, second=self.second, tenant=tenant)
        failed = progress(Phase.FAILED, key, second=self.second + 0.5, reason=reason, tenant=tenant)
        self.archive.feed(asked, failed)

    def delete(self, key: str) -> None:
        """Delete a job."""
        self.second += 1
        self.archive.feed(deletion(key, second=self.second))


def ms(second: float) -> int:
    """Return a moment as the archive has it, in seconds after the beginning."""
    return round(at(second).timestamp() * 1_000)


def names(page: JobPage | SearchPage) -> list[str]:
    """Return the names on a page, without their ending."""
    jobs = page.jobs if isinstance(page, JobPage) else [result.job for result in page.results]
    return [job.name.removesuffix(".wav") for job in jobs]


def listed(reads: ArchiveReads, *, tenant: str | None = TENANT, **fields: Any) -> list[str]:
    """Return the names of the jobs that are like this."""
    return names(reads.jobs(JobFilter(tenant=tenant, **fields), limit=50))


def found(reads: ArchiveReads, words: str, *, tenant: str | None = TENANT, **fields: Any) -> list[str]:
    """Return the names of the recordings with these words."""
    return names(reads.search(SearchFilter(tenant=tenant, words=words, **fields), limit=50))
