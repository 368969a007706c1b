"""Stored transcripts, read from the results bucket."""

from typing import TYPE_CHECKING

from pydantic import ValidationError

from consumers.s3 import BODY_LIMIT_BYTES, BucketProbe, create_client, read_result
from schemas.errors import (
    AudioForbidden,
    AudioNotFound,
    EnrichmentFailed,
    InvalidEvent,
    SourceNotAllowed,
)
from schemas.object_addresses import ObjectAddress
from schemas.settings import S3Settings
from schemas.transcripts.transcript import Segment, Transcript, segments_or_whole

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class StoredTranscripts:
    """Implements ``TranscriptSource``. Reads only below the prefix of the results. Thread-safe."""

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._client = client or create_client(settings)
        self._bucket = settings.results_bucket or settings.bucket
        self._prefix = settings.results_prefix
        self._probe = BucketProbe(settings, self._bucket, prefix=self._prefix, client=client)

    def load(self, uri: str) -> Transcript:
        """See ``TranscriptSource``."""
        address = ObjectAddress.parse(uri)
        if address.bucket != self._bucket or not address.key.startswith(self._prefix):
            raise SourceNotAllowed(
                f"{uri[:200]} is not below s3://{self._bucket}/{self._prefix}; nothing was fetched"
            )
        try:
            body = read_result(self._client, address.bucket, address.key)
        except (AudioNotFound, AudioForbidden) as error:
            raise EnrichmentFailed(f"the transcript cannot be read: {error}") from error
        if body is None:
            raise InvalidEvent(f"{uri} is larger than {BODY_LIMIT_BYTES} bytes, which no transcript is")
        try:
            return Transcript.model_validate_json(body)
        except ValidationError as error:
            raise InvalidEvent(f"{uri} is no transcript that this release reads") from error

    def is_up(self) -> bool:
        """See ``TranscriptSource``."""
        return self._probe.is_up()


def segments_of(transcript: Transcript) -> tuple[Segment, ...]:
    """Return the segments; one with all the text when a transcript has text without segments."""
    return segments_or_whole(
        transcript.segments,
        text=transcript.text,
        audio_duration_seconds=transcript.audio.audio_duration_seconds,
    )
