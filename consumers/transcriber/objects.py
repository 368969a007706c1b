"""Requests for the objects that hold audio: their state, and their bytes, always of one version of an object."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from consumers.s3 import create_client, s3_errors
from consumers.transcriber.scratch import write_at
from schemas.errors import AudioEmpty, AudioForbidden, AudioNotFound, DependencyDown, JobCancelled
from schemas.object_addresses import S3, ObjectAddress, allowed_address
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_BYTES: Final = 256 * 1024
"""Size of one read from a connection: bounds the memory of a part, and how late a cancelled one ends."""

PRECONDITION_FAILED: Final = 412
NO_SUCH_RANGE: Final = 416

Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class WantedObject:
    """An object as a record names it. ``changed``: it is known not to be the version that was requested."""

    address: ObjectAddress
    version_id: str | None = None
    etag: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ObjectState:
    """An object at one moment. ``changed``: it is not the version that was requested."""

    address: ObjectAddress
    version_id: str | None
    etag: str
    object_size_bytes: int
    content_type: str | None
    reported_metadata: Mapping[str, str]
    changed: bool


@dataclass(frozen=True, slots=True)
class OpenedObject:
    """An object; its first ``size_bytes`` bytes are being answered."""

    state: ObjectState
    size_bytes: int
    body: Any


class Objects:
    """The objects of the allowed buckets. Thread-safe; blocks its caller.

    Methods raise SourceNotAllowed, AudioNotFound, AudioForbidden and DependencyDown.
    """

    def __init__(self, settings: S3Settings, *, connections: int, client: "S3Client | None" = None) -> None:
        self._settings = settings
        self._client = client or create_client(settings, connections=connections)

    def wanted(self, uri: str, *, version_id: str | None, etag: str | None) -> WantedObject:
        """Return the object of an address. Makes no request. Raises SourceNotAllowed."""
        return WantedObject(allowed_address(uri, self._settings), version_id, etag)

    def stat(self, wanted: WantedObject) -> ObjectState:
        """Return the state of the wanted version, else of the current one. Blocks for one or two HEAD requests."""
        if wanted.version_id is not None:
            try:
                return self._head(wanted)
            except (AudioNotFound, AudioForbidden):
                return self._head(_current(wanted))
        return self._head(wanted)

    @contextmanager
    def opened(self, wanted: WantedObject | ObjectState, *, limit_bytes: int) -> Iterator[OpenedObject]:
        """Request the state and the first bytes, ``limit_bytes`` at most, at once, as ``stat`` does for the state.

        One request takes less CPU time than a HEAD and a GET, and nothing can be replaced between the two. The
        connection is closed with the context. Raises AudioEmpty too.
        """
        named = WantedObject(wanted.address, wanted.version_id, wanted.etag, wanted.changed)
        try:
            answer = self._get_first(named, limit_bytes)
        except (AudioNotFound, AudioForbidden):
            # The version is deleted, is no version id of this store, or may not be read by version.
            if named.version_id is None:
                raise
            named = _current(named)
            answer = self._get_first(named, limit_bytes)
        with closing(answer["Body"]) as body:
            yield OpenedObject(_state(named, answer, _total_bytes(named, answer)), answer["ContentLength"], body)

    def copy_opened(self, opened: OpenedObject, file: int, cancelled: Cancelled) -> None:
        """Write the answered bytes to the beginning of a file. Raises JobCancelled too."""
        with s3_errors(f"reading {opened.state.address.uri}"):
            _copy(opened.state, opened.body, file, 0, opened.size_bytes, cancelled)

    def copy_part(self, state: ObjectState, file: int, start: int, end: int, cancelled: Cancelled) -> bool:
        """Write a range of bytes to its place in a file. False: the object is no longer the one in ``state``.

        Raises JobCancelled too.
        """
        with s3_errors(f"reading {state.address.uri}"):
            try:
                answer = self._client.get_object(
                    **_named(state), IfMatch=f'"{state.etag}"', Range=f"bytes={start}-{end - 1}"
                )
            except self._client.exceptions.ClientError as error:
                if _status(error) in (PRECONDITION_FAILED, NO_SUCH_RANGE):
                    return False
                raise
            with closing(answer["Body"]) as body:
                _copy(state, body, file, start, end, cancelled)
        return True

    def _get_first(self, wanted: WantedObject, limit_bytes: int) -> Any:
        with s3_errors(f"reading {wanted.address.uri}"):
            try:
                return self._client.get_object(**_named(wanted), Range=f"bytes=0-{limit_bytes - 1}")
            except self._client.exceptions.ClientError as error:
                if _status(error) == NO_SUCH_RANGE:
                    raise AudioEmpty(f"{wanted.address.uri} has no bytes") from error
                raise

    def _head(self, wanted: WantedObject) -> ObjectState:
        doing = f"looking up {wanted.address.uri}"
        try:
            with s3_errors(doing):
                answer = self._client.head_object(**_named(wanted))
        except AudioForbidden:
            # HEAD has no body, so its refusal does not tell a forbidden object from wrong credentials, which
            # affect every record and must pause intake. The answer to GET does.
            with s3_errors(doing):
                self._client.get_object(**_named(wanted), Range="bytes=0-0")["Body"].close()
            raise
        return _state(wanted, answer, answer["ContentLength"])


def _current(wanted: WantedObject) -> WantedObject:
    """Return the current version instead of the wanted one; without an etag, it counts as another object."""
    return replace(wanted, version_id=None, changed=wanted.changed or wanted.etag is None)


def _named(wanted: WantedObject | ObjectState) -> Any:
    version = {"VersionId": wanted.version_id} if wanted.version_id else {}
    return {"Bucket": wanted.address.bucket, "Key": wanted.address.key, **version}


def _state(wanted: WantedObject, answer: Any, size_bytes: int) -> ObjectState:
    etag = answer["ETag"].strip('"')
    version_id = answer.get("VersionId")
    return ObjectState(
        address=wanted.address,
        version_id=None if version_id in (None, "", "null") else version_id,
        etag=etag,
        object_size_bytes=size_bytes,
        content_type=answer.get("ContentType"),
        reported_metadata=answer["Metadata"],
        changed=wanted.changed or (wanted.etag is not None and wanted.etag.strip('"') != etag),
    )


def _total_bytes(wanted: WantedObject, answer: Any) -> int:
    """Return the size of the whole object; a store that ignores ranges answers with all of it."""
    answered = answer.get("ContentRange")
    if not answered:
        return int(answer["ContentLength"])
    total = answered.rpartition("/")[2]
    if not total.isdecimal():  # HTTP allows "bytes 0-9/*"; the first part must not pass for the whole object
        raise DependencyDown(S3, f"{wanted.address.uri}: the store does not tell the object's size: {answered}")
    return int(total)


def _copy(state: ObjectState, body: Any, file: int, start: int, end: int, cancelled: Cancelled) -> None:
    for chunk in body.iter_chunks(READ_BYTES):
        if cancelled():
            raise JobCancelled(f"{state.address.uri} was not read to its end")
        write_at(file, chunk, start)
        start += len(chunk)
    if start != end:
        raise DependencyDown(S3, f"{state.address.uri}: an answer ended {end - start:,} bytes early")


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
