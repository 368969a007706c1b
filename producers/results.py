"""Results in the bucket, without a database: jobs with their owners, transcripts, exports, enrichments."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from pydantic import ValidationError

from producers.s3 import JsonObjects, create_client
from schemas.errors import DependencyDown, InvalidEvent
from schemas.identity import random_id
from schemas.options import ExportFormat
from schemas.results import (
    USERS_KNOWN,
    AcceptedJob,
    DeletedJob,
    FailedRequest,
    ResultKeys,
    StoredEnrichment,
    StoredJob,
)
from schemas.settings import S3Settings
from schemas.transcripts.transcript import Contract, Transcript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DocumentT = TypeVar("DocumentT", bound=Contract)

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Documents:
    """Contracts as JSON objects of the results bucket. Raises InvalidEvent for an unreadable one."""

    objects: JsonObjects

    def find(self, key: str, kind: type[DocumentT]) -> DocumentT | None:
        """Return the document; None when there is none."""
        body = self.objects.read(key)
        return None if body is None else self._parse(key, body, kind)

    def claim(self, key: str, document: DocumentT) -> DocumentT:
        """Store the document unless one is stored, and return the stored one: compare the owners."""
        return self._parse(key, self.objects.claim(key, document.model_dump_json().encode()), type(document))

    def _parse(self, key: str, body: bytes, kind: type[DocumentT]) -> DocumentT:
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            raise InvalidEvent(
                f"{self.objects.uri(key)} is no {kind.__name__} that this release reads: upgrade, or delete it"
            ) from error


def open_objects(settings: S3Settings, client: "S3Client | None") -> JsonObjects:
    """Return the objects of the bucket of results."""
    return JsonObjects(client or create_client(settings), settings.results_bucket or settings.bucket)


class ResultStore:
    """Jobs by id, transcripts by content. Safe to share between threads; every method blocks.

    Every method is safe to repeat, and raises DependencyDown("s3") when the store does not serve.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._objects = open_objects(settings, client)
        self._documents = Documents(self._objects)
        self._keys = ResultKeys(settings.results_prefix)

    def is_writable(self) -> bool:
        """Return whether results can be stored, as far as is known; after a refusal, asks the store. Blocks."""
        return self._objects.is_writable(self._keys.probe)

    def find_job(self, job_id: str) -> StoredJob | None:
        """Return the finished job; None while it is not finished. Raises InvalidEvent for an unreadable one."""
        return self._documents.find(self._keys.job(job_id), StoredJob)

    def create_job(self, job: StoredJob) -> StoredJob:
        """Store the job unless it is stored, and return the stored one: compare the owners."""
        return self._documents.claim(self._keys.job(job.job_id), job)

    def find_accepted(self, job_id: str) -> AcceptedJob | None:
        """Return the job as the gateway accepted it; None for a job of another producer, or none at all."""
        return self._documents.find(self._keys.accepted(job_id), AcceptedJob)

    def claim_accepted(self, accepted: AcceptedJob) -> AcceptedJob:
        """Store an accepted job unless it is stored, and return the stored one: compare the requests."""
        return self._documents.claim(self._keys.accepted(accepted.job_id), accepted)

    def find_deletion(self, job_id: str) -> DeletedJob | None:
        """Return the note that the job was deleted; it may have been requested again since."""
        return self._documents.find(self._keys.deletion(job_id), DeletedJob)

    def failures_of(self, job_id: str) -> list[FailedRequest]:
        """Return the failed requests of a job, oldest first, of both stages. A later one may have succeeded."""
        keys = self._objects.keys(self._keys.failures(job_id))
        found = (self._documents.find(key, FailedRequest) for key in keys)
        return sorted((failed for failed in found if failed), key=lambda failed: failed.failed_at)

    def renew_accepted(self, accepted: AcceptedJob) -> None:
        """Replace an accepted job that is about to be published again, and delete its failures.

        They say how it stood before.
        """
        self._objects.put(self._keys.accepted(accepted.job_id), accepted.model_dump_json().encode())
        for key in self._objects.keys(self._keys.failures(accepted.job_id)):
            self._objects.delete(key)

    def claim_failure(self, failed: FailedRequest) -> FailedRequest:
        """Store a request's failure unless a copy has, and return the stored one: compare the owners."""
        return self._documents.claim(self._keys.failure(failed.job_id, failed.request_digest), failed)

    def find_transcript(self, content_key: str) -> Transcript | None:
        """Return the transcript of the same audio, options and model; None when nothing readable is stored."""
        try:
            return self._documents.find(self._keys.transcript(content_key), Transcript)
        except InvalidEvent as error:
            _log.info("stored transcript is of another release; the audio is transcribed again", error=str(error))
            return None

    def read_transcript(self, content_key: str) -> bytes | None:
        """Return the transcript as it is stored, readable or not; None when there is none."""
        return self._objects.read(self._keys.transcript(content_key))

    def find_job_transcript(self, job_id: str) -> Transcript | None:
        """Return the transcript of a finished job; None when the job has not finished or its body is gone."""
        job = self.find_job(job_id)
        return self.find_transcript(job.content_key) if job else None

    def add_user(self, content_key: str, job_id: str, request_digest: str) -> None:
        """Mark a job as a user of a transcript, so that a removal of its other users does not delete it.

        Call it before the transcript is stored, or before ``has_transcript`` when it is there already.
        """
        # The body makes a repeated mark another object.
        self._objects.put(self._keys.user(content_key, job_id, request_digest), random_id().encode())

    def has_transcript(self, content_key: str) -> bool:
        """Return whether a transcript is stored, readable or not."""
        return self._objects.exists(self._keys.transcript(content_key))

    def put_transcript(self, content_key: str, transcript: Transcript) -> str:
        """Store the body and return its URI. Two writers of one key write the same words."""
        key, body = self._keys.transcript(content_key), transcript.model_dump_json().encode()
        return self._objects.put(key, body, metadata={USERS_KNOWN: "yes"})

    def transcript_uri(self, content_key: str) -> str:
        """Return where the body of a content key is, once it is stored."""
        return self.uri(self._keys.transcript(content_key))

    def put_export(self, content_key: str, export_format: ExportFormat, body: bytes, content_type: str) -> str:
        """Store one export of a transcript and return its URI. Two writers of one key write the same words."""
        return self._objects.put(self._keys.export(content_key, export_format), body, content_type=content_type)

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/key`` in the results bucket."""
        return self._objects.uri(key)


class EnrichmentResults:
    """The enricher's results: finished enrichments with their owners, and notes that save work.

    Safe to share between threads; every method blocks and is safe to repeat. Raises DependencyDown("s3") when the
    store does not serve, except for notes, which only save work.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._objects = open_objects(settings, client)
        self._documents = Documents(self._objects)
        self._keys = ResultKeys(settings.results_prefix)

    def is_writable(self) -> bool:
        """Return whether results can be stored, as far as is known; after a refusal, asks the store. Blocks."""
        return self._objects.is_writable(self._keys.probe)

    def find_enrichment(self, job_id: str, enrich_digest: str) -> StoredEnrichment | None:
        """Return the finished enrichment, if there is one. Raises InvalidEvent for an unreadable one."""
        return self._documents.find(self._keys.enrichment(job_id, enrich_digest), StoredEnrichment)

    def enrichments_of(self, job_id: str) -> list[StoredEnrichment]:
        """Return all finished enrichments of a job, one for each set of options. Raises InvalidEvent as above."""
        keys = self._objects.keys(self._keys.enrichments(job_id))
        found = (self._documents.find(key, StoredEnrichment) for key in keys)
        return [stored for stored in found if stored is not None]

    def create_enrichment(self, stored: StoredEnrichment) -> StoredEnrichment:
        """Store the enrichment unless it is stored, and return the stored one: compare the owners."""
        return self._documents.claim(self._keys.enrichment(stored.job_id, stored.enrich_digest), stored)

    def put_rewrite(self, job_id: str, enrich_digest: str, name: str, body: bytes, content_type: str) -> str:
        """Store an object of a rewritten transcript and return its URI. Two writers of one name write the same."""
        return self._objects.put(self._keys.rewrite(job_id, enrich_digest, name), body, content_type=content_type)

    def claim_failure(self, failed: FailedRequest) -> FailedRequest:
        """See ``ResultStore.claim_failure``."""
        return self._documents.claim(self._keys.failure(failed.job_id, failed.request_digest), failed)

    def results_uri(self, job_id: str, enrich_digest: str) -> str:
        """Return where the enrichment is, once it is stored."""
        return self._objects.uri(self._keys.enrichment(job_id, enrich_digest))

    def find_notes(self, digest: str) -> bytes | None:
        """Return notes kept under this digest; None when there are none or the store does not answer."""
        try:
            return self._objects.read(self._keys.notes(digest))
        except DependencyDown as error:
            _log.debug("notes not read", error=str(error))
            return None

    def put_notes(self, digest: str, notes: bytes) -> None:
        """Keep notes. Notes that cannot be kept are made again when they are needed."""
        key = self._keys.notes(digest)
        try:
            self._objects.put(key, notes)
        except DependencyDown as error:
            _log.debug("notes not kept", error=str(error))
