"""What the embedded stack's object store keeps between runs, and after a crash."""

import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
import pytest
from botocore.exceptions import ClientError

from kascribe.embedded.buckets import Buckets
from kascribe.embedded.index import FILE_NAME, Index
from kascribe.embedded.object_store import EmbeddedObjectStore
from schemas.errors import ConfigurationError
from tests.support.object_store import MOTO_CREDENTIALS, credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY: Final = b"recording" * 1_000
KEPT_OBJECTS: Final = 1_000
START_SECONDS: Final = 1.0
COPY: Final = """
INSERT INTO versions (version_id, bucket, key, file, etag, size_bytes, headers, modified)
SELECT :number, bucket, :number || '.wav', 'copy-' || :number, etag, size_bytes, headers, modified
FROM versions WHERE key = '0.wav'
"""
WRITER: Final = """
import io, sys
from pathlib import Path
from kascribe.embedded.buckets import Buckets
from kascribe.embedded.index import Index
directory = Path(sys.argv[1])
buckets = Buckets(directory, Index(directory))
buckets.create("audio")
for number in range(100_000):
    buckets.put("audio", f"{number % 50}.wav", buckets.spool(io.BytesIO(b"%d" % number * 1_000)), {})
    print(number, flush=True)
"""


@contextmanager
def store_in(directory: Path) -> "Iterator[S3Client]":
    """Run a store, with a client of it."""
    with EmbeddedObjectStore(directory) as store, credentials(MOTO_CREDENTIALS):
        store.create_bucket("audio")
        client = boto3.client("s3", endpoint_url=store.endpoint_url, region_name="us-east-1")
        try:
            yield client
        finally:
            client.close()


@contextmanager
def buckets_in(directory: Path) -> Iterator[Buckets]:
    """Open the buckets without a server."""
    directory.mkdir(exist_ok=True)
    index = Index(directory)
    try:
        yield Buckets(directory, index)
    finally:
        index.close()


def bodies(directory: Path) -> list[Path]:
    """List the files of objects, without the index."""
    return sorted(path for path in directory.iterdir() if not path.name.startswith("index."))


def test_an_object_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Its bytes, type, metadata, etag and time, under any key; also one that came in parts."""
    with store_in(tmp_path) as client:
        client.put_object(
            Bucket="audio", Key="회의/1 & 2.wav", Body=BODY, ContentType="audio/wav", Metadata={"language": "ko"}
        )
        begun = client.create_multipart_upload(Bucket="audio", Key="parts")["UploadId"]
        part = client.upload_part(Bucket="audio", Key="parts", UploadId=begun, PartNumber=1, Body=BODY)
        client.complete_multipart_upload(
            Bucket="audio",
            Key="parts",
            UploadId=begun,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        )
        before = [client.get_object(Bucket="audio", Key=key) for key in ("회의/1 & 2.wav", "parts")]
        assert [each["Body"].read() for each in before] == [BODY, BODY]
    with store_in(tmp_path) as client:
        after = [client.get_object(Bucket="audio", Key=key) for key in ("회의/1 & 2.wav", "parts")]
        assert [each["Body"].read() for each in after] == [BODY, BODY]
        for one, other in zip(before, after, strict=True):
            for field in ("ETag", "ContentType", "Metadata", "LastModified"):
                assert one[field] == other[field]


def test_versions_and_delete_markers_are_kept_where_a_bucket_keeps_versions(tmp_path: Path) -> None:
    """In their order: the newest is served, the others by their ids."""
    with store_in(tmp_path) as client:
        client.put_bucket_versioning(Bucket="audio", VersioningConfiguration={"Status": "Enabled"})
        first, _ = (client.put_object(Bucket="audio", Key="a", Body=body) for body in (b"first", b"second"))
        client.put_object(Bucket="audio", Key="gone", Body=b"x")
        client.delete_object(Bucket="audio", Key="gone")
    with store_in(tmp_path) as client:
        assert client.get_object(Bucket="audio", Key="a")["Body"].read() == b"second"
        older = client.get_object(Bucket="audio", Key="a", VersionId=first["VersionId"])
        assert older["Body"].read() == b"first"
        with pytest.raises(ClientError, match="NoSuchKey"):
            client.get_object(Bucket="audio", Key="gone")


def test_a_deleted_or_replaced_object_is_gone_from_the_disk_at_once(tmp_path: Path) -> None:
    """The stack's own bucket keeps no older versions: deleting a recording frees its space."""
    with store_in(tmp_path) as client:
        client.put_object(Bucket="audio", Key="a.wav", Body=b"first recording")
        client.put_object(Bucket="audio", Key="a.wav", Body=b"second recording")
        assert [path.read_bytes() for path in bodies(tmp_path)] == [b"second recording"]
        client.delete_object(Bucket="audio", Key="a.wav")
        assert bodies(tmp_path) == []
    with store_in(tmp_path) as client:
        assert "Contents" not in client.list_objects_v2(Bucket="audio")
    assert b"a.wav" not in (tmp_path / FILE_NAME).read_bytes()


def test_what_was_being_written_when_the_process_was_killed_is_whole_or_not_there(tmp_path: Path) -> None:
    """Every object that was confirmed is served, and no file is left that belongs to none."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 60:
                break
        os.kill(writer.pid, signal.SIGKILL)
        confirmed = [60, *map(int, writer.stdout.read().split())][-1]
    with buckets_in(tmp_path) as buckets:
        found = dict(buckets.keys("audio"))
        numbers = {key: body_number(version.path) for key, version in found.items()}
        assert len(found) == 50
        assert sorted(bodies(tmp_path)) == sorted(version.path for version in found.values() if version.path)
    for number in range(confirmed - 49, confirmed + 1):
        assert numbers[f"{number % 50}.wav"] in (number, number + 50)


def body_number(path: Path | None) -> int:
    """Return the number that a whole body of the writer repeats."""
    assert path is not None
    text = path.read_text()
    assert len(text) % 1_000 == 0
    number = text[: len(text) // 1_000]
    assert text == number * 1_000
    return int(number)


def test_an_object_that_lacks_bytes_after_an_outage_of_power_is_not_served(tmp_path: Path) -> None:
    """It is dropped, and its name is free; its neighbours stay."""
    with buckets_in(tmp_path) as buckets:
        buckets.create("audio")
        for key in ("torn", "lost", "whole"):
            buckets.put("audio", key, buckets.spool(io.BytesIO(BODY)), {})
        torn, lost = (buckets.get("audio", key).path for key in ("torn", "lost"))
        assert torn is not None
        assert lost is not None
    os.truncate(torn, len(BODY) // 2)
    lost.unlink()
    with buckets_in(tmp_path) as buckets:
        assert [key for key, _ in buckets.keys("audio")] == ["whole"]
        assert len(bodies(tmp_path)) == 1
        buckets.put("audio", "torn", buckets.spool(io.BytesIO(BODY)), {}, only_if_absent=True)


def test_a_damaged_index_ends_the_start_and_says_how_to_begin_anew(tmp_path: Path) -> None:
    """Nothing is removed: the user decides."""
    with buckets_in(tmp_path) as buckets:
        buckets.create("audio")
        buckets.put("audio", "a", buckets.spool(io.BytesIO(BODY)), {})
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1_000)
    with pytest.raises(ConfigurationError, match="kascribe up --forget"):
        EmbeddedObjectStore(tmp_path)
    assert len(bodies(tmp_path)) == 1


def test_an_index_of_a_later_release_is_refused(tmp_path: Path) -> None:
    """Its tables may mean something else."""
    with buckets_in(tmp_path), closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="later release"):
        EmbeddedObjectStore(tmp_path)


def test_the_directory_is_the_user_s_alone_also_when_it_was_open_before(tmp_path: Path) -> None:
    """Recordings are private, whatever the umask."""
    directory = tmp_path / "objects"
    directory.mkdir(mode=0o755)
    with store_in(directory):
        assert directory.stat().st_mode & 0o077 == 0


def test_a_start_with_a_thousand_objects_takes_less_than_a_second(tmp_path: Path) -> None:
    """Names are read from one database; no object is opened."""
    with buckets_in(tmp_path) as buckets:
        buckets.create("audio")
        path = buckets.put("audio", "0.wav", buckets.spool(io.BytesIO(BODY)), {}).path
    assert path is not None
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        for number in range(1, KEPT_OBJECTS):
            os.link(path, tmp_path / f"copy-{number}")
            database.execute(COPY, {"number": number})
    began = time.perf_counter()
    with EmbeddedObjectStore(tmp_path) as store:
        assert time.perf_counter() - began < START_SECONDS
        assert (store.kept.objects, store.kept.size_bytes) == (KEPT_OBJECTS, KEPT_OBJECTS * len(BODY))


def test_the_index_needs_no_later_sqlite_than_that_of_rhel_8(tmp_path: Path) -> None:
    """Its tables are made by SQLite 3.26, which knows neither STRICT (3.37) nor generated columns (3.31)."""
    with closing(Index(tmp_path)), closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        made = [text for (text,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    assert len(made) == 2
    assert not [text for text in made if {"STRICT", "GENERATED"} & set(text.upper().split())]
