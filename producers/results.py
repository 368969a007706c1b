"""Results in the bucket: who owns a job, what its audio said, and its exports. No database beside it."""

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from producers.s3 import JsonObjects, create_client
from schemas.errors import InvalidEvent
from schemas.options import ExportFormat
from schemas.results import FailedRequest, ResultKeys, StoredJob
from schemas.settings import S3Settings
from schemas.transcripts.transcript import Contract, Transcript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Found = TypeVar("Found", bound=Contract)


class ResultStore:
    """The two layers of identity, in one bucket. Safe to share between threads; every method blocks.

    Every method is safe to repeat, and raises DependencyDown("s3") when the store does not serve.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._objects = JsonObjects(client or create_client(settings), settings.results_bucket or settings.bucket)
        self._keys = ResultKeys(settings.results_prefix)

    def find_job(self, job_id: str) -> StoredJob | None:
        """The finished job; None while it is not finished. Raises InvalidEvent for one we cannot read."""
        return self._find(self._keys.job(job_id), StoredJob)

    def create_job(self, job: StoredJob) -> StoredJob:
        """Stores the job unless it is stored, and returns the one that is stored: compare the owners."""
        key = self._keys.job(job.job_id)
        return self._read(key, self._objects.claim(key, job.model_dump_json().encode()), StoredJob)

    def claim_failure(self, failed: FailedRequest) -> FailedRequest:
        """Stores that a request failed unless a copy of it did, and returns the one that is stored: compare the
        owners."""
        key = self._keys.failure(failed.job_id, failed.request_digest)
        return self._read(key, self._objects.claim(key, failed.model_dump_json().encode()), FailedRequest)

    def find_transcript(self, content_key: str) -> Transcript | None:
        """What the same audio, options and model gave before; None when nothing did, or nothing readable."""
        try:
            return self._find(self._keys.transcript(content_key), Transcript)
        except InvalidEvent:
            return None  # of another major version: it is made again

    def put_transcript(self, content_key: str, transcript: Transcript) -> str:
        """Stores the body and returns its URI. Two writers of one key write the same words."""
        return self._objects.put(self._keys.transcript(content_key), transcript.model_dump_json().encode())

    def transcript_uri(self, content_key: str) -> str:
        """Where the body of a content key is, once it is stored."""
        return self.uri(self._keys.transcript(content_key))

    def put_export(self, content_key: str, export_format: ExportFormat, body: bytes, content_type: str) -> str:
        """Stores one export of a transcript and returns its URI. Two writers of one key write the same words."""
        return self._objects.put(self._keys.export(content_key, export_format), body, content_type=content_type)

    def uri(self, key: str) -> str:
        """``s3://bucket/key`` in the results bucket."""
        return self._objects.uri(key)

    def _find(self, key: str, kind: type[Found]) -> Found | None:
        body = self._objects.read(key)
        return None if body is None else self._read(key, body, kind)

    def _read(self, key: str, body: bytes, kind: type[Found]) -> Found:
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            raise InvalidEvent(
                f"{self.uri(key)} is no {kind.__name__} that this release reads: upgrade, or delete it"
            ) from error
