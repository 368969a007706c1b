"""Removal of the objects that jobs were made of, which others put into the deployment's buckets."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from producers.s3 import JsonObjects, ObjectRemoval, create_client
from schemas.errors import SourceNotAllowed
from schemas.object_addresses import ObjectAddress, allowed_address
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class SourceRemoval(StrEnum):
    """What became of the object that a removed job was made of."""

    KEPT = "kept"
    """Its deletion was not requested."""
    UPLOADED = "uploaded"
    """The job was made of an upload, which is always deleted."""
    DELETED = "deleted"
    ABSENT = "absent"
    """It was deleted before."""
    CHANGED = "changed"
    """It stays: it was overwritten since the job read it."""
    NOT_ALLOWED = "not_allowed"
    """It stays: it is outside of the deployment's buckets, or in the folder of results."""
    FORBIDDEN = "forbidden"
    """It stays: the bucket's policy lets Kascribe not delete it."""
    UNKNOWN = "unknown"
    """Nothing that is stored for the job says where its audio was."""


_OUTCOMES = {
    ObjectRemoval.DELETED: SourceRemoval.DELETED,
    ObjectRemoval.ABSENT: SourceRemoval.ABSENT,
    ObjectRemoval.CHANGED: SourceRemoval.CHANGED,
    ObjectRemoval.FORBIDDEN: SourceRemoval.FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class NamedSource:
    """An object as a job read it, or as a reference names it."""

    uri: str
    version_id: str | None
    etag: str | None


class Sources:
    """The objects of the allowed buckets. Safe to share between threads."""

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._settings = settings
        self._client = client or create_client(settings)

    def remove(self, source: NamedSource | None) -> SourceRemoval:
        """Delete a job's object, if it is there, unchanged and in an allowed bucket. Uploads are left.

        Blocks; safe to repeat. Of a version that the job names only that one is deleted. Raises DependencyDown.
        """
        if source is None:
            return SourceRemoval.UNKNOWN
        try:
            address = allowed_address(source.uri, self._settings)
        except SourceNotAllowed:
            return SourceRemoval.NOT_ALLOWED
        if self._is_in(address, self._settings.bucket, self._settings.uploads_prefix):
            return SourceRemoval.UPLOADED
        if self._is_in(address, self._results_bucket, self._settings.results_prefix):
            return SourceRemoval.NOT_ALLOWED
        objects = JsonObjects(self._client, address.bucket)
        return _OUTCOMES[objects.delete_unchanged(address.key, version_id=source.version_id, etag=source.etag)]

    @property
    def _results_bucket(self) -> str:
        return self._settings.results_bucket or self._settings.bucket

    @staticmethod
    def _is_in(address: ObjectAddress, bucket: str, prefix: str) -> bool:
        return address.bucket == bucket and address.key.startswith(prefix)
