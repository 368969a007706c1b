"""Uploads over the S3 protocol: one piece or many parts, whole or not at all."""

import io
from collections.abc import Callable

import pytest

from producers.uploads import SMALLEST_PART_BYTES, Uploads, safe_name
from schemas.errors import AudioTooLarge, DependencyDown
from schemas.object_addresses import ObjectAddress
from schemas.settings import S3Settings
from tests.support.object_store import ObjectStore


class Trickle(io.RawIOBase):
    """A stream that gives little at a time, as sockets do, and cannot be rewound."""

    def __init__(self, body: bytes) -> None:
        self._rest = io.BytesIO(body)

    def read(self, size: int = -1) -> bytes:
        """At most 100,000 bytes."""
        return self._rest.read(min(size, 100_000))


@pytest.fixture
def settings(moto_store: ObjectStore) -> S3Settings:
    """Return a bucket of one's own."""
    return moto_store.settings(versioned=True)


def stored(store: ObjectStore, uri: str) -> tuple[bytes, str]:
    """Bytes and content type of an object."""
    address = ObjectAddress.parse(uri)
    answer = store.client.get_object(Bucket=address.bucket, Key=address.key)
    return answer["Body"].read(), answer["ContentType"]


@pytest.mark.parametrize("size", [0, 10, SMALLEST_PART_BYTES, 3 * SMALLEST_PART_BYTES + 7])
@pytest.mark.parametrize("opened", [io.BytesIO, Trickle])
def test_what_is_uploaded_is_what_was_given(
    moto_store: ObjectStore, settings: S3Settings, size: int, opened: Callable[[bytes], io.BytesIO]
) -> None:
    """Files and streams of any length arrive whole, with progress that adds up to the length."""
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    told: list[int] = []
    uploads = Uploads(settings.model_copy(update={"part_size_bytes": 1}), client=moto_store.client)
    done = uploads.upload(opened(body), name="통화 1.wav", content_type="audio/wav", on_bytes=told.append)
    assert stored(moto_store, done.uri) == (body, "audio/wav")
    assert done.uri.startswith(f"s3://{settings.bucket}/{settings.uploads_prefix}")
    assert done.uri.endswith("/통화 1.wav")
    assert sum(told) == size
    head = moto_store.client.head_object(Bucket=settings.bucket, Key=ObjectAddress.parse(done.uri).key)
    assert (head["ETag"].strip('"'), head["VersionId"]) == (done.etag, done.version_id)


def test_the_same_name_twice_is_two_objects(moto_store: ObjectStore, settings: S3Settings) -> None:
    """No upload overwrites another."""
    uploads = Uploads(settings, client=moto_store.client)
    first, second = (uploads.upload(io.BytesIO(b"x"), name="a.wav") for _ in range(2))
    assert first.uri != second.uri


def test_too_large_an_upload_leaves_nothing_behind(moto_store: ObjectStore, settings: S3Settings) -> None:
    """Beyond the limit the parts already sent are given up."""
    limited = settings.model_copy(update={"object_limit_bytes": 2 * SMALLEST_PART_BYTES, "part_size_bytes": 1})
    uploads = Uploads(limited, client=moto_store.client)
    with pytest.raises(AudioTooLarge):
        uploads.upload(io.BytesIO(bytes(3 * SMALLEST_PART_BYTES)), name="a.wav")
    assert moto_store.keys(settings.bucket) == []
    assert "Uploads" not in moto_store.client.list_multipart_uploads(Bucket=settings.bucket)


def test_a_store_that_is_down_or_lacks_the_bucket_is_a_dependency_down(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """Nothing about an upload is the file's fault."""
    nowhere = settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9", "timeout_seconds": 0.5})
    with pytest.raises(DependencyDown, match=r"a\.wav"):
        Uploads(nowhere).upload(io.BytesIO(b"x"), name="a.wav")
    missing = settings.model_copy(update={"bucket": "no-such-bucket"})
    with pytest.raises(DependencyDown, match="NoSuchBucket"):
        Uploads(missing, client=moto_store.client).upload(io.BytesIO(b"x"), name="a.wav")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\calls\\a.wav", "a.wav"),
        ("folder/", "folder"),
        ("..", "audio"),
        ("", "audio"),
        ("a\x00\n.wav", "a.wav"),
    ],
)
def test_a_name_never_leaves_its_place(name: str, safe: str) -> None:
    """Only the last component of a name reaches a key."""
    assert safe_name(name) == safe
    assert len(safe_name("가" * 500 + ".wav").encode()) <= 200
    assert safe_name("가" * 500 + ".wav").endswith(".wav")
