"""Listing of a bucket's objects, page by page, and the metadata of one of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

from producers.reconciler.drops import StoredObject
from producers.s3 import NOT_FOUND, s3_errors, status_of
from schemas.object_addresses import ObjectAddress

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGE_OBJECTS: Final = 1_000
"""Objects of one answer; a store has no larger ones."""

LAST_CHARACTER: Final = "\U0010ffff"
"""Sorts behind every key of a folder."""

NULL_VERSION: Final = "null"
"""Of an object that was stored while its bucket kept no versions."""

FORBIDDEN: Final = 403
METHOD_NOT_ALLOWED: Final = 405
NOT_IMPLEMENTED: Final = 501


@dataclass(frozen=True, slots=True)
class Page:
    """Objects of one answer, and how many entries were left out: of deleted objects, and overwritten ones."""

    objects: list[StoredObject]
    gone: int = 0


@dataclass(frozen=True, slots=True)
class DropBucket:
    """One bucket. Safe to share between threads; every method blocks and raises DependencyDown("s3").

    ``skipped`` are folders that are not needed: the listing jumps over what is left of them.
    """

    client: "S3Client"
    bucket: str
    skipped: tuple[str, ...] = ()
    page_objects: int = PAGE_OBJECTS

    def pages(self, prefix: str) -> Iterator[Page]:
        """Yield the objects below a prefix, in the order of their keys; where versions are kept, every version.

        Left out: objects with a delete marker as their latest version, and overwritten objects of the time before
        versions were kept, which cannot be read any more by what identifies them.
        """
        return self._versions(prefix) if self._keeps_versions() else self._objects(prefix)

    def metadata(self, found: StoredObject) -> Mapping[str, str] | None:
        """Return the user metadata of an object as the store reports them; None when it is gone or was replaced.

        Raises PermissionError when these credentials may not read the object.
        """
        version: Any = {"VersionId": found.version_id} if found.version_id else {}
        with s3_errors(f"looking up {ObjectAddress(found.bucket, found.key).uri}"):
            try:
                answer = self.client.head_object(Bucket=found.bucket, Key=found.key, **version)
            except ClientError as error:
                if status_of(error) in (NOT_FOUND, METHOD_NOT_ALLOWED):
                    return None
                if status_of(error) == FORBIDDEN:
                    raise PermissionError(found.key) from error
                raise
        return answer["Metadata"] if answer["ETag"].strip('"') == found.etag else None

    def _keeps_versions(self) -> bool:
        with s3_errors(f"asking whether {self.bucket} keeps versions (s3:GetBucketVersioning)"):
            try:
                answer = self.client.get_bucket_versioning(Bucket=self.bucket)
            except ClientError as error:
                if status_of(error) in (METHOD_NOT_ALLOWED, NOT_IMPLEMENTED):
                    return False
                raise
        return bool(answer.get("Status"))

    def _objects(self, prefix: str) -> Iterator[Page]:
        place: dict[str, str] | None = {}
        while place is not None:
            with s3_errors(f"listing {ObjectAddress(self.bucket, prefix).uri}"):
                answer: Any = self.client.list_objects_v2(
                    Bucket=self.bucket, Prefix=prefix, MaxKeys=self.page_objects, **cast("Any", place)
                )
            listed = answer.get("Contents", [])
            yield Page([self._object(entry, None) for entry in listed])
            last_key = listed[-1]["Key"] if listed else ""
            place = {"StartAfter": self._behind(last_key) or last_key} if answer.get("IsTruncated") else None

    def _versions(self, prefix: str) -> Iterator[Page]:
        deleted = _Deleted()
        place: dict[str, str] | None = {}
        while place is not None:
            with s3_errors(f"listing the versions of {ObjectAddress(self.bucket, prefix).uri}"):
                answer: Any = self.client.list_object_versions(
                    Bucket=self.bucket, Prefix=prefix, MaxKeys=self.page_objects, **cast("Any", place)
                )
            deleted.add(answer.get("DeleteMarkers", []))
            listed = answer.get("Versions", [])
            yield self._page(listed, deleted)
            place = self._place_after(answer) if answer.get("IsTruncated") else None

    def _page(self, listed: list[Any], deleted: "_Deleted") -> Page:
        wanted = [
            entry
            for entry in listed
            if not deleted.includes(entry["Key"]) and (entry["IsLatest"] or entry["VersionId"] != NULL_VERSION)
        ]
        found = [self._object(entry, _version_id(entry)) for entry in wanted]
        return Page(found, len(listed) - len(wanted))

    def _place_after(self, answer: Any) -> dict[str, str]:
        """Return where a listing of versions goes on."""
        jump = self._behind(answer["NextKeyMarker"])
        if jump is not None:
            return {"KeyMarker": jump}
        version = answer.get("NextVersionIdMarker")
        return {"KeyMarker": answer["NextKeyMarker"], **({"VersionIdMarker": version} if version else {})}

    def _behind(self, key: str) -> str | None:
        """Return a place behind the folder of a key if that folder is not needed."""
        folder = next((folder for folder in self.skipped if key.startswith(folder)), None)
        return None if folder is None else folder + LAST_CHARACTER

    def _object(self, entry: Any, version_id: str | None) -> StoredObject:
        return StoredObject(
            bucket=self.bucket,
            key=entry["Key"],
            version_id=version_id,
            etag=entry["ETag"].strip('"'),
            object_size_bytes=entry["Size"],
            modified_at=entry["LastModified"],
        )


@dataclass(slots=True)
class _Deleted:
    """Keys with a delete marker as their latest version: those of one page, and the last one before it."""

    _keys: frozenset[str] = field(default=frozenset())
    _last: str | None = None

    def add(self, markers: list[Any]) -> None:
        current = [marker["Key"] for marker in markers if marker["IsLatest"]]
        self._keys = frozenset((*current, *([self._last] if self._last else [])))
        self._last = current[-1] if current else self._last

    def includes(self, key: str) -> bool:
        return key in self._keys


def _version_id(entry: Any) -> str | None:
    return None if entry["VersionId"] == NULL_VERSION else entry["VersionId"]
