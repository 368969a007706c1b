"""The object that a job was made of is deleted in the deployment's buckets only, if it is still the same."""

import pytest

from producers.gateway.jobs.source_removal import NamedSource, SourceRemoval, Sources
from schemas.settings import S3Settings
from tests.support.object_store import ObjectStore

KEY = "calls/a.wav"


def source(
    settings: S3Settings, key: str = KEY, *, version: str | None = None, etag: str | None = None
) -> NamedSource:
    """Return an object of a bucket as a job names it."""
    return NamedSource(f"s3://{settings.bucket}/{key}", version, etag)


def test_an_object_is_deleted_once(moto_store: ObjectStore) -> None:
    """And afterwards it is absent; what else there is stays."""
    s3 = moto_store.settings()
    etag = moto_store.put(s3, KEY, b"audio")
    moto_store.put(s3, "calls/b.wav", b"audio")
    sources = Sources(s3, client=moto_store.client)
    assert sources.remove(source(s3, etag=f'"{etag}"')) is SourceRemoval.DELETED
    assert sources.remove(source(s3, etag=etag)) is SourceRemoval.ABSENT
    assert moto_store.keys(s3.bucket) == ["calls/b.wav"]
    assert sources.remove(None) is SourceRemoval.UNKNOWN


def test_an_object_that_was_overwritten_stays(moto_store: ObjectStore) -> None:
    """It is another recording by now."""
    s3 = moto_store.settings()
    etag = moto_store.put(s3, KEY, b"audio")
    moto_store.put(s3, KEY, b"other audio")
    assert Sources(s3, client=moto_store.client).remove(source(s3, etag=etag)) is SourceRemoval.CHANGED
    assert moto_store.keys(s3.bucket) == [KEY]


def test_of_a_version_only_that_one_is_deleted(moto_store: ObjectStore) -> None:
    """A later one stays the object."""
    s3 = moto_store.settings(versioned=True)
    moto_store.put(s3, KEY, b"audio")
    version = moto_store.client.head_object(Bucket=s3.bucket, Key=KEY)["VersionId"]
    moto_store.put(s3, KEY, b"later audio")
    sources = Sources(s3, client=moto_store.client)
    assert sources.remove(source(s3, version=version)) is SourceRemoval.DELETED
    assert sources.remove(source(s3, version=version)) is SourceRemoval.ABSENT
    assert moto_store.client.get_object(Bucket=s3.bucket, Key=KEY)["Body"].read() == b"later audio"


@pytest.mark.parametrize("uri", ["s3://elsewhere/a.wav", "https://host/a.wav", "s3://", "file:///etc/passwd"])
def test_nothing_outside_of_the_allowed_buckets_is_touched(moto_store: ObjectStore, uri: str) -> None:
    """Whatever an event names."""
    s3 = moto_store.settings()
    assert Sources(s3, client=moto_store.client).remove(NamedSource(uri, None, None)) is SourceRemoval.NOT_ALLOWED


def test_a_bucket_that_is_not_allowed_keeps_its_object(moto_store: ObjectStore) -> None:
    """Although the credentials could delete it; once it is allowed, it is deleted."""
    s3, other = moto_store.settings(), moto_store.settings()
    moto_store.put(other, KEY, b"audio")
    assert Sources(s3, client=moto_store.client).remove(source(other)) is SourceRemoval.NOT_ALLOWED
    assert moto_store.keys(other.bucket) == [KEY]
    wider = s3.model_copy(update={"allowed_buckets": (s3.bucket, other.bucket)})
    assert Sources(wider, client=moto_store.client).remove(source(other)) is SourceRemoval.DELETED


def test_kascribes_own_folders_are_left(moto_store: ObjectStore) -> None:
    """Results and API keys never; an upload goes with its own job."""
    s3 = moto_store.settings()
    keys = ["kascribe-results/keys/k.json", "kascribe-uploads/x/a.wav"]
    for key in keys:
        moto_store.put(s3, key, b"own")
    sources = Sources(s3, client=moto_store.client)
    assert [sources.remove(source(s3, key)) for key in keys] == [
        SourceRemoval.NOT_ALLOWED,
        SourceRemoval.UPLOADED,
    ]
    assert moto_store.keys(s3.bucket) == keys
