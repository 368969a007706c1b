"""Objects in buckets as sources: what is below a prefix, and which version of an object is there."""

from typing import TYPE_CHECKING

from kascribe.sources.arguments import S3_SCHEME, Source
from producers.s3 import JsonObjects
from schemas.errors import AudioNotFound, DependencyDown
from schemas.notifications import is_own_object
from schemas.object_addresses import ObjectAddress
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectSources:
    """Lists and looks up objects, with a client of producers.s3. Safe to share between threads."""

    def __init__(self, settings: S3Settings, client: "S3Client") -> None:
        self._settings = settings
        self._client = client

    def below(self, address: str) -> list[Source]:
        """Return the objects below ``s3://bucket/prefix/``, named relative to it, without our own. Blocks.

        Raises DependencyDown, also for a bucket that is not there or may not be listed.
        """
        bucket, _, prefix = address.removeprefix(S3_SCHEME).partition("/")
        return [
            Source(f"{S3_SCHEME}{bucket}/{found.key}", found.key.removeprefix(prefix), found.etag)
            for found in JsonObjects(self._client, bucket).listed(prefix)
            if not found.key.endswith("/") and not is_own_object(bucket, found.key, self._settings)
        ]

    def version(self, source: Source) -> str | None:
        """Return what tells versions of an object apart; None where this user may not look at it. Blocks.

        Raises AudioNotFound when there is no such object.
        """
        if source.version:
            return source.version
        address = ObjectAddress.parse(source.location)
        try:
            found = JsonObjects(self._client, address.bucket).find(address.key)
        except DependencyDown:
            return None  # the transcriber's credentials may be others: it reports what it cannot read
        if found is None:
            raise AudioNotFound(f"there is no object {source.location}")
        return found.etag
