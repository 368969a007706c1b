"""The transcript's whole body, from the bucket that events point into."""

from typing import TYPE_CHECKING, Final, Protocol

from pydantic import ValidationError

from consumers.s3 import create_client, create_probe_client, s3_errors, serves
from schemas.errors import (
    AudioForbidden,
    AudioNotFound,
    EnrichmentFailed,
    InvalidEvent,
    SourceNotAllowed,
)
from schemas.object_addresses import ObjectAddress
from schemas.settings import S3Settings
from schemas.transcripts.transcript import Transcript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY_LIMIT_BYTES: Final = 256 * 1024**2
"""A day of speech with the times of every word is a fifth of it."""


class TranscriptSource(Protocol):
    """Where transcripts are read."""

    def load(self, uri: str) -> Transcript:
        """The body at an address. Blocks; safe to repeat. Raises SourceNotAllowed, InvalidEvent,
        EnrichmentFailed when it is not there (yet), and DependencyDown."""
        ...

    def is_up(self) -> bool:
        """Whether the store answers. Blocks for about a second at most."""
        ...


class StoredTranscripts:
    """Reads what the transcriber stored, and nothing else. Safe to share between threads."""

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._client = client or create_client(settings)
        self._probe = client or create_probe_client(settings)
        self._bucket = settings.results_bucket or settings.bucket
        self._prefix = settings.results_prefix

    def load(self, uri: str) -> Transcript:
        """See ``TranscriptSource``."""
        address = ObjectAddress.parse(uri)
        if address.bucket != self._bucket or not address.key.startswith(self._prefix):
            raise SourceNotAllowed(
                f"{uri[:200]} is not below s3://{self._bucket}/{self._prefix}; nothing was fetched"
            )
        try:
            with s3_errors(f"reading {uri}"):
                answer = self._client.get_object(Bucket=address.bucket, Key=address.key)
                body = answer["Body"].read(BODY_LIMIT_BYTES + 1)
        except (AudioNotFound, AudioForbidden) as error:
            raise EnrichmentFailed(f"the transcript cannot be read: {error}") from error
        if len(body) > BODY_LIMIT_BYTES:
            raise InvalidEvent(f"{uri} is larger than {BODY_LIMIT_BYTES} bytes, which no transcript is")
        try:
            return Transcript.model_validate_json(body)
        except ValidationError as error:
            raise InvalidEvent(f"{uri} is no transcript that this release reads") from error

    def is_up(self) -> bool:
        """See ``TranscriptSource``."""
        return serves(self._probe, self._bucket)
