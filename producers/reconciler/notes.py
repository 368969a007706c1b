"""What the bucket of results knows of jobs: looked up for many jobs at once, by listings."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from os.path import commonpath
from typing import TYPE_CHECKING, Any, Final

from producers.s3 import s3_errors
from schemas.object_addresses import ObjectAddress
from schemas.results import ResultKeys
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

JOB_ID_CHARACTERS: Final = 32
LIST_LIMIT: Final = 1_000
"""Objects of one answer; a store has no larger ones."""


class Standing(Enum):
    """Whether a job still has to be requested."""

    UNKNOWN = "unknown"
    KNOWN = "known"
    ENDED = "ended"
    """Finished, failed or deleted: it stays as it is while the object does."""


@dataclass(frozen=True, slots=True)
class JobNotes:
    """When the latest note of each kind was stored for a job; None where there is none."""

    finished_at: datetime | None = None
    accepted_at: datetime | None = None
    failed_at: datetime | None = None
    deleted_at: datetime | None = None

    def standing(self, *, modified_at: datetime, lost_before: datetime | None) -> Standing:
        """Return how the job of an object of this age stands.

        What failed, was deleted or was accepted before the object was stored again (in a bucket without versions,
        with the same content) was another request. A job that was accepted before ``lost_before``, and of which
        nothing was heard since, counts as lost.
        """
        if self.finished_at is not None:
            return Standing.ENDED
        if any(at is not None and at >= modified_at for at in (self.failed_at, self.deleted_at)):
            return Standing.ENDED
        if self.accepted_at is None or self.accepted_at < modified_at:
            return Standing.UNKNOWN
        is_lost = lost_before is not None and self.accepted_at < lost_before
        return Standing.UNKNOWN if is_lost else Standing.KNOWN

    def are_since(self, modified_at: datetime) -> bool:
        """Return whether a finished job can have read the object of this age, whatever its options are now."""
        return self.finished_at is None or self.finished_at >= modified_at


NO_NOTES: Final = JobNotes()


@dataclass(frozen=True, slots=True)
class KnownJobs:
    """Notes of jobs. Safe to share between threads. Every method blocks, and raises DependencyDown("s3").

    The ids are sorted, and each listing begins at the next wanted id: the number of requests for a kind of note is
    that of the ids at most, and that of the pages of all notes at most, whichever is smaller.
    """

    client: "S3Client"
    bucket: str
    keys: ResultKeys

    @classmethod
    def of(cls, settings: S3Settings, client: "S3Client") -> "KnownJobs":
        """Return the notes in the bucket of results of these settings."""
        return cls(client, settings.results_bucket or settings.bucket, ResultKeys(settings.results_prefix))

    def notes(self, job_ids: Collection[str]) -> Mapping[str, JobNotes]:
        """Return the notes of jobs by id; a job without any is left out."""
        wanted = sorted(set(job_ids))
        found: dict[str, dict[str, datetime]] = {}
        for name, key_of in (
            ("finished_at", self.keys.job),
            ("accepted_at", self.keys.accepted),
            ("failed_at", self.keys.failures),
            ("deleted_at", self.keys.deletion),
        ):
            for job_id, stored_at in self._latest(_folder(key_of), wanted).items():
                found.setdefault(job_id, {})[name] = stored_at
        return {job_id: JobNotes(**times) for job_id, times in found.items()}

    def _latest(self, folder: str, wanted: list[str]) -> dict[str, datetime]:
        """Return when the latest object of each job in a folder was stored."""
        ids, latest = frozenset(wanted), dict[str, datetime]()
        start = folder + wanted[0] if wanted else None
        while start is not None:
            page = self._page(folder, start)
            last_key = start
            for stored in page.get("Contents", []):
                last_key = stored["Key"]
                job_id = last_key[len(folder) :][:JOB_ID_CHARACTERS]
                if job_id in ids:
                    latest[job_id] = max(stored["LastModified"], latest.get(job_id, stored["LastModified"]))
            start = self._next(folder, wanted, last_key) if page.get("IsTruncated") else None
        return latest

    def _next(self, folder: str, wanted: list[str], last_key: str) -> str | None:
        """Return the key after which the listing goes on; None when no further id is wanted."""
        position = bisect_left(wanted, last_key[len(folder) :][:JOB_ID_CHARACTERS])
        return max(last_key, folder + wanted[position]) if position < len(wanted) else None

    def _page(self, folder: str, start: str) -> Any:
        with s3_errors(f"listing {ObjectAddress(self.bucket, folder).uri}"):
            return self.client.list_objects_v2(
                Bucket=self.bucket, Prefix=folder, StartAfter=start, MaxKeys=LIST_LIMIT
            )


def _folder(key_of: Callable[[str], str]) -> str:
    """Return the folder of all notes of a kind: what the keys of any two jobs have in common."""
    return commonpath([key_of("0"), key_of("1")]) + "/"
