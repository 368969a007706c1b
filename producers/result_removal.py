"""Removal of everything that is stored for a job. Transcripts are shared by jobs with the same content.

The transcript of a content key goes with the last job that uses it. Each job leaves a mark in the bucket before it
stores a transcript or relies on a stored one. A removal sees the mark when it first lists them, or when it does so
again after it has deleted the transcript; then it stores the transcript again.

::

    delete own marks ─▶ list marks: used? ─ no ─▶ delete transcript ─▶ list marks: a new one? ─ yes ─▶ restore
                                └─ yes: it stays                                └─ no: done
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from producers.results import open_objects
from producers.s3 import JsonObjects, ListedObject, WholeObject
from schemas.clock import Clock
from schemas.errors import JobError
from schemas.object_addresses import ObjectAddress
from schemas.options import ExportFormat
from schemas.results import USERS_KNOWN, AcceptedJob, DeletedJob, ResultKeys, StoredJob
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UNFINISHED_USER: Final = timedelta(days=1)
"""Age from which the mark of a job without a result no longer keeps a transcript: no attempt takes so long."""


class TranscriptRemoval(StrEnum):
    """What became of the transcript of a removed job."""

    DELETED = "deleted"
    ABSENT = "absent"
    """There was none: the job had not finished, or it was deleted before."""
    SHARED = "shared"
    """It stays: another job with the same audio and options uses it."""
    USERS_UNKNOWN = "users_unknown"
    """It stays: an earlier release stored it, and jobs of that release left no marks."""


@dataclass(frozen=True, slots=True)
class UploadedObject:
    """Where an upload is stored."""

    uri: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class RemovedJob:
    """What was removed; ``other_objects`` counts enrichments, rewritten transcripts, failures and exports."""

    transcript: TranscriptRemoval
    upload: bool
    other_objects: int


class ResultRemoval:
    """Removes jobs. Safe to share between threads. Methods block, are safe to repeat, and raise DependencyDown."""

    def __init__(self, settings: S3Settings, *, clock: Clock, client: "S3Client | None" = None) -> None:
        self._objects = open_objects(settings, client)
        self._uploads = JsonObjects(self._objects.client, settings.bucket)
        self._uploads_prefix = settings.uploads_prefix
        self._keys = ResultKeys(settings.results_prefix)
        self._clock = clock

    def remove(self, job_id: str, *, finished: StoredJob | None, upload: UploadedObject | None) -> RemovedJob:
        """Remove a job that does not run, and note that it was deleted.

        The job itself goes last, so that a removal that was interrupted can be repeated.
        """
        keys = self._keys
        transcript, exports = self._remove_content(job_id, finished)
        others = [
            found.key
            for prefix in (keys.enrichments(job_id), keys.rewrites(job_id))
            for found in self._objects.listed(prefix)
        ]
        self._delete(others)
        is_upload_gone = upload is not None and self._remove_upload(upload)
        deletion = DeletedJob(job_id=job_id, deleted_at=self._clock.now())
        self._objects.put(keys.deletion(job_id), deletion.model_dump_json().encode())
        failures = [found.key for found in self._objects.listed(keys.failures(job_id))]
        self._delete([keys.accepted(job_id), *failures, keys.job(job_id)])
        return RemovedJob(transcript, is_upload_gone, len(others) + len(failures) + exports)

    def discard_upload(self, accepted: AcceptedJob) -> None:
        """Delete the upload of a job that another request was faster to request. Best effort; raises nothing."""
        with suppress(JobError):
            if upload := upload_of(accepted):
                self._remove_upload(upload)

    def discard(self, accepted: AcceptedJob) -> None:
        """Delete an accepted job that was never published, and its upload. Best effort; raises nothing."""
        self.discard_upload(accepted)
        with suppress(JobError):
            self._objects.delete(self._keys.accepted(accepted.job_id))

    def _remove_content(self, job_id: str, finished: StoredJob | None) -> tuple[TranscriptRemoval, int]:
        if finished is None:
            return TranscriptRemoval.ABSENT, 0
        content_key = finished.content_key
        body = self._objects.read_whole(self._keys.transcript(content_key))
        if body is not None and USERS_KNOWN not in body.metadata:
            return TranscriptRemoval.USERS_UNKNOWN, 0
        # Its own marks go first: of two removals at once, the one that lists later then sees neither job.
        self._delete(mark.key for mark in self._marks(content_key) if _user_of(mark) == job_id)
        others = self._marks(content_key)
        if any(self._is_in_use(mark) for mark in others):
            return TranscriptRemoval.SHARED, 0
        return self._remove_unused(content_key, body, others)

    def _remove_unused(
        self, content_key: str, body: WholeObject | None, marks: list[ListedObject]
    ) -> tuple[TranscriptRemoval, int]:
        contents = {self._keys.transcript(content_key): body}
        contents |= {key: self._objects.read_whole(key) for key in self._exports(content_key)}
        self._delete(contents)
        known = {(mark.key, mark.etag) for mark in marks}
        if any((mark.key, mark.etag) not in known for mark in self._marks(content_key)):
            self._restore(contents)
            return TranscriptRemoval.SHARED, 0
        self._delete(mark.key for mark in marks)
        return (TranscriptRemoval.ABSENT if body is None else TranscriptRemoval.DELETED), len(contents) - 1

    def _marks(self, content_key: str) -> list[ListedObject]:
        return self._objects.listed(self._keys.users(content_key))

    def _restore(self, contents: dict[str, WholeObject | None]) -> None:
        # A job that looked for the transcript before it was deleted has found it. One that looked later did not,
        # and stores the same words, or stored them already: these stay.
        for key, found in contents.items():
            if found is not None and self._objects.read_whole(key) is None:
                self._objects.put(key, found.body, content_type=found.content_type, metadata=found.metadata)

    def _exports(self, content_key: str) -> list[str]:
        exports = {self._keys.export(content_key, export_format) for export_format in ExportFormat}
        prefix = self._keys.export(content_key, ExportFormat.JSON).removesuffix("json")
        return [found.key for found in self._objects.listed(prefix) if found.key in exports]

    def _is_in_use(self, mark: ListedObject) -> bool:
        """Return whether the job of a mark has finished, or may still be running."""
        job_id = _user_of(mark)
        if self._objects.read(self._keys.job(job_id)) is not None:
            return True
        is_recent = self._clock.now() - mark.modified_at < UNFINISHED_USER
        return is_recent and not self._objects.listed(self._keys.failures(job_id))

    def _remove_upload(self, upload: UploadedObject) -> bool:
        """Delete an upload of our own; objects outside of the folder of uploads belong to others."""
        address = ObjectAddress.parse(upload.uri)
        is_ours = address.bucket == self._uploads.bucket and address.key.startswith(self._uploads_prefix)
        if is_ours:
            self._uploads.delete(address.key, version_id=upload.version_id)
        return is_ours

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._objects.delete(key)


def upload_of(accepted: AcceptedJob) -> UploadedObject | None:
    """Return the upload of an accepted job; None when it names an object."""
    reference = accepted.reference
    return None if accepted.audio_sha256 is None else UploadedObject(reference.uri, reference.version_id)


def _user_of(mark: ListedObject) -> str:
    return mark.key.rsplit("/", 1)[-1].partition(".")[0]
