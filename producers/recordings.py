"""Recordings for listeners: a part at a time, always of the same object, in bounded memory."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from producers.s3 import NOT_FOUND, PRECONDITION_FAILED, create_client, s3_errors, status_of
from schemas.errors import AudioForbidden, AudioNotFound
from schemas.object_addresses import ObjectAddress, allowed_address
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FORBIDDEN: Final = 403
MISSING_STATUSES: Final = frozenset({400, NOT_FOUND, 405})
"""400: no version id of this store. 405: the version is a deletion."""


@dataclass(frozen=True, slots=True)
class NamedRecording:
    """A recording as a job names it; ``etag`` without quotation marks."""

    uri: str
    version_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An object at one moment. ``etag`` has its quotation marks; ``version_id`` is None where none was named."""

    address: ObjectAddress
    version_id: str | None
    etag: str
    size_bytes: int
    content_type: str
    modified_at: datetime

    @property
    def name(self) -> str:
        """The last part of the key, as the file was called."""
        return self.address.key.rpartition("/")[2]


class Recordings:
    """Reads recordings. Safe to share between threads; every method blocks, and holds no connection afterwards.

    Methods raise AudioNotFound, AudioForbidden, SourceNotAllowed, and DependencyDown when the store is down.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._settings = settings
        self._client = client or create_client(settings)

    def find(self, named: NamedRecording) -> Recording:
        """Return the object that a job read: that version, or the current one if it is still the same object."""
        address = allowed_address(named.uri, self._settings)
        if named.version_id is not None:
            try:
                return self._head(address, named.version_id)
            except AudioNotFound:
                if named.etag is None:
                    raise
        current = self._head(address, None)
        if named.etag is not None and named.etag.strip('"') != current.etag.strip('"'):
            raise AudioNotFound(f"{address.uri} was replaced after the job had read it; the former object is gone")
        return current

    def read(self, recording: Recording, first: int, last: int) -> bytes:
        """Return the bytes from ``first`` to ``last``, both included. AudioNotFound: replaced since ``find``."""
        with s3_errors(f"reading {recording.address.uri}"):
            try:
                answer = self._client.get_object(
                    **_named(recording.address, recording.version_id),
                    Range=f"bytes={first}-{last}",
                    IfMatch=recording.etag,
                )
                with closing(answer["Body"]) as body:
                    return body.read(last - first + 1)
            except ClientError as error:
                _raise_audio_error(error, recording.address)
                raise

    def _head(self, address: ObjectAddress, version_id: str | None) -> Recording:
        with s3_errors(f"looking up {address.uri}"):
            try:
                answer = self._client.head_object(**_named(address, version_id))
            except ClientError as error:
                _raise_audio_error(error, address)
                raise
        return Recording(
            address=address,
            version_id=version_id,
            etag=answer["ETag"],
            size_bytes=answer["ContentLength"],
            content_type=answer.get("ContentType", ""),
            modified_at=answer["LastModified"],
        )


def _named(address: ObjectAddress, version_id: str | None) -> Any:
    version = {"VersionId": version_id} if version_id else {}
    return {"Bucket": address.bucket, "Key": address.key, **version}


def _raise_audio_error(error: ClientError, address: ObjectAddress) -> None:
    status = status_of(error)
    if status in MISSING_STATUSES:
        raise AudioNotFound(f"{address.uri} is no longer in the bucket; the transcript stays") from error
    if status == PRECONDITION_FAILED:
        raise AudioNotFound(f"{address.uri} was replaced while it was read; request it again") from error
    if status == FORBIDDEN:
        raise AudioForbidden(
            f"the gateway may not read {address.uri}: allow its credentials s3:GetObject there"
        ) from error
