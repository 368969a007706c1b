"""Recordings against an S3 server: the object that a job read, or why there is none."""

from typing import Final

import pytest

from producers.recordings import NamedRecording, Recordings
from schemas.errors import AudioNotFound, DependencyDown, SourceNotAllowed
from schemas.settings import S3Settings
from tests.support.object_store import ObjectStore, running_object_store

BODY: Final = b"0123456789"


def put(store: ObjectStore, settings: S3Settings, body: bytes) -> NamedRecording:
    """Store an object; return it as a job names it."""
    answer = store.client.put_object(Bucket=settings.bucket, Key="call.wav", Body=body, ContentType="audio/wav")
    uri = f"s3://{settings.bucket}/call.wav"
    return NamedRecording(uri, answer.get("VersionId"), answer["ETag"].strip('"'))


def test_the_bytes_of_a_range_are_read(moto_store: ObjectStore) -> None:
    """Both ends included; the name is that of the file."""
    settings = moto_store.settings()
    recordings = Recordings(settings, client=moto_store.client)
    found = recordings.find(put(moto_store, settings, BODY))
    assert (found.name, found.size_bytes, found.content_type) == ("call.wav", 10, "audio/wav")
    assert recordings.read(found, 2, 4) == b"234"
    assert recordings.read(found, 9, 9) == b"9"


def test_the_version_that_was_read_is_found_after_another_came(moto_store: ObjectStore) -> None:
    """In a bucket that keeps versions; a deletion of the version is an object that is gone."""
    settings = moto_store.settings(versioned=True)
    recordings = Recordings(settings, client=moto_store.client)
    first = put(moto_store, settings, BODY)
    put(moto_store, settings, b"another")
    assert recordings.read(recordings.find(first), 0, 9) == BODY
    assert first.version_id is not None
    moto_store.client.delete_object(Bucket=settings.bucket, Key="call.wav", VersionId=first.version_id)
    with pytest.raises(AudioNotFound, match="was replaced"):
        recordings.find(first)


def test_a_recording_that_was_replaced_is_not_sent(moto_store: ObjectStore) -> None:
    """Neither when it is looked up, nor in the middle: its listener would hear another one."""
    settings = moto_store.settings()
    recordings = Recordings(settings, client=moto_store.client)
    first = put(moto_store, settings, BODY)
    found = recordings.find(first)
    put(moto_store, settings, b"another one")
    with pytest.raises(AudioNotFound, match="while it was read"):
        recordings.read(found, 0, 9)
    with pytest.raises(AudioNotFound, match="after the job had read it"):
        recordings.find(first)


def test_a_recording_that_is_gone_or_elsewhere_is_refused(moto_store: ObjectStore) -> None:
    """Each says which one it is; settings that no longer allow a bucket hold for listeners, too."""
    settings = moto_store.settings()
    recordings = Recordings(settings, client=moto_store.client)
    with pytest.raises(AudioNotFound, match=r"call\.wav is no longer in the bucket"):
        recordings.find(NamedRecording(f"s3://{settings.bucket}/call.wav"))
    with pytest.raises(SourceNotAllowed):
        recordings.find(NamedRecording("s3://elsewhere/call.wav"))


def test_a_store_that_is_down_is_told_apart_from_a_recording_that_is_gone() -> None:
    """The caller may try again."""
    with running_object_store() as store:
        settings = store.settings()
        named = put(store, settings, BODY)
        recordings = Recordings(settings, client=store.client)
        found = recordings.find(named)
    with pytest.raises(DependencyDown):
        recordings.read(found, 0, 1)
