"""The embedded stack's object store: what any S3 server promises, from files, in bounded memory."""

import hashlib
import http.client
import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from kascribe.embedded.object_store import EmbeddedObjectStore
from producers.uploads import SMALLEST_PART_BYTES, Uploads
from tests.contract.access.key_suite import KeySuite
from tests.contract.objects.fetch_suite import FetchSuite
from tests.contract.objects.removal_suite import RemovalSuite
from tests.contract.objects.result_suite import ResultSuite
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore, credentials

BODY = bytes(range(256)) * 4_096
LARGE_BYTES = 256 * 1024**2
MEMORY_BYTES = 64 * 1024**2
"""By which the server's resident memory may grow for it: pieces of a MiB, and what Python keeps."""

SERVER = """
import sys
from pathlib import Path
from kascribe.embedded.object_store import EmbeddedObjectStore
{prelude}
store = EmbeddedObjectStore(Path(sys.argv[1]))
store.create_bucket("audio")
print(store.endpoint_url, flush=True)
sys.stdin.read()
store.close()
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store keeps its objects."""
    return tmp_path_factory.mktemp("store") / "objects"


@pytest.fixture(scope="module")
def store(directory: Path) -> Iterator[ObjectStore]:
    """Return the server that the suites run on."""
    with EmbeddedObjectStore(directory) as embedded, credentials(MOTO_CREDENTIALS):
        running = ObjectStore(embedded.endpoint_url)
        yield running
        running.client.close()


class TestFetch(FetchSuite):
    """``ObjectFetcher`` on the embedded store."""


class TestResults(ResultSuite):
    """``ResultStore`` on the embedded store."""


class TestKeys(KeySuite):
    """``ApiKeys`` and ``UsageStore`` on the embedded store."""


class TestRemoval(RemovalSuite):
    """``ResultRemoval`` on the embedded store."""


@pytest.mark.parametrize("size", [0, 10, SMALLEST_PART_BYTES, 3 * SMALLEST_PART_BYTES + 7])
def test_an_upload_of_one_piece_or_of_many_parts_is_there_whole(store: ObjectStore, size: int) -> None:
    """With the etag that S3 gives it, and no file of a part left behind."""
    settings = store.settings(versioned=True)
    body = (BODY * (size // len(BODY) + 1))[:size]
    done = Uploads(settings.model_copy(update={"part_size_bytes": 1}), client=store.client).upload(
        io.BytesIO(body), name="회의 1.wav"
    )
    (key,) = store.keys(settings.bucket)
    answer = store.client.get_object(Bucket=settings.bucket, Key=key)
    assert answer["Body"].read() == body
    assert (answer["ETag"].strip('"'), answer["VersionId"]) == (done.etag, done.version_id)


def test_an_upload_that_is_given_up_leaves_no_file(store: ObjectStore, directory: Path) -> None:
    """Nor does an object of a bucket without versions that was overwritten or deleted."""
    settings = store.settings()
    before = sorted(directory.iterdir())
    bucket, client = settings.bucket, store.client
    upload_id = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    client.upload_part(Bucket=bucket, Key="a", UploadId=upload_id, PartNumber=1, Body=BODY)
    assert len(list(directory.iterdir())) == len(before) + 1
    client.abort_multipart_upload(Bucket=bucket, Key="a", UploadId=upload_id)
    client.put_object(Bucket=bucket, Key="a", Body=b"first")
    client.put_object(Bucket=bucket, Key="a", Body=b"second")
    client.delete_object(Bucket=bucket, Key="a")
    assert sorted(directory.iterdir()) == before


def test_a_part_that_is_another_one_is_refused(store: ObjectStore) -> None:
    """And an upload that was never started."""
    settings = store.settings()
    bucket, client = settings.bucket, store.client
    begun = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    client.upload_part(Bucket=bucket, Key="a", UploadId=begun, PartNumber=1, Body=b"part")
    etag = hashlib.md5(b"another", usedforsecurity=False).hexdigest()
    for upload_id, code in ((begun, "InvalidPart"), ("none", "NoSuchUpload")):
        with pytest.raises(ClientError, match=code):
            client.complete_multipart_upload(
                Bucket=bucket,
                Key="a",
                UploadId=upload_id,
                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]},
            )


def test_a_body_that_ends_too_early_is_no_object(store: ObjectStore, directory: Path) -> None:
    """A client that dies leaves nothing."""
    settings = store.settings()
    before = sorted(directory.iterdir())
    connection = http.client.HTTPConnection(urlsplit(store.endpoint_url).netloc, timeout=10)
    connection.putrequest("PUT", f"/{settings.bucket}/call.wav")
    connection.putheader("Content-Length", "1000")
    connection.putheader("Authorization", "any")
    connection.endheaders(b"short")
    assert connection.sock is not None
    connection.sock.shutdown(1)
    assert connection.getresponse().status == 400
    connection.close()
    assert store.keys(settings.bucket) == []
    assert sorted(directory.iterdir()) == before


@pytest.mark.parametrize("signed", [True, False])
def test_bodies_that_clients_wrap_in_chunks_are_unwrapped(store: ObjectStore, *, signed: bool) -> None:
    """As the AWS command line sends them, with checksums behind; over HTTP's own chunks as well."""
    settings = store.settings()
    chunks = b"".join(
        b"%x%s\r\n%s\r\n" % (len(piece), b";chunk-signature=00" if signed else b"", piece)
        for piece in (BODY[:1000], BODY[1000:], b"")
    )[:-2]
    wrapped = chunks + (b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n" if signed else b"\r\n")
    connection = http.client.HTTPConnection(urlsplit(store.endpoint_url).netloc, timeout=10)
    headers = {"Authorization": "any", "Content-Type": "audio/wav", "x-amz-meta-language": "ko"}
    if signed:
        headers |= {
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "Content-Encoding": "aws-chunked",
        }
        connection.request("PUT", f"/{settings.bucket}/a%2Bb%20c.wav", wrapped, headers)
    else:
        connection.request(
            "PUT", f"/{settings.bucket}/a%2Bb%20c.wav", iter([BODY[:7], BODY[7:]]), headers, encode_chunked=True
        )
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    connection.request("HEAD", f"/{settings.bucket}/a%2Bb%20c.wav", headers={"Authorization": "any"})
    assert connection.getresponse().status == 200
    connection.close()
    found = store.client.get_object(Bucket=settings.bucket, Key="a+b c.wav")
    assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (
        BODY,
        "audio/wav",
        {"language": "ko"},
    )
    assert "ContentEncoding" not in found


def test_a_client_with_the_newest_defaults_is_served(store: ObjectStore) -> None:
    """Checksums that clients add by themselves, and the transfers in parts that they make of large files."""
    settings = store.settings()
    client = boto3.client("s3", endpoint_url=store.endpoint_url, region_name="us-east-1")
    client.upload_fileobj(io.BytesIO(BODY * 20), settings.bucket, "large.wav")
    received = io.BytesIO()
    client.download_fileobj(settings.bucket, "large.wav", received)
    client.close()
    assert received.getvalue() == BODY * 20


def test_keys_are_listed_in_pages_and_by_folder(store: ObjectStore) -> None:
    """Also those with characters that XML has to escape."""
    settings = store.settings()
    keys = sorted(["a/1.wav", "a/2 & <3>.wav", "회의/한 + %.wav", "z.wav", "b/\x01.wav"])
    for key in keys:
        store.put(settings, key, b"x")
    pages = store.client.get_paginator("list_objects_v2").paginate(
        Bucket=settings.bucket, PaginationConfig={"PageSize": 2}
    )
    assert [found["Key"] for page in pages for found in page["Contents"]] == keys
    root = store.client.list_objects_v2(Bucket=settings.bucket, Delimiter="/")
    assert [found["Prefix"] for found in root["CommonPrefixes"]] == ["a/", "b/", "회의/"]
    assert [found["Key"] for found in root["Contents"]] == ["z.wav"]
    within = store.client.list_objects_v2(Bucket=settings.bucket, Prefix="a/")
    assert [found["Size"] for found in within["Contents"]] == [1, 1]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=0-3", BODY[:4]), ("bytes=10-", BODY[10:]), ("bytes=-5", BODY[-5:]), ("bytes=0-99999999", BODY)],
)
def test_a_range_gives_those_bytes(store: ObjectStore, asked: str, expected: bytes) -> None:
    """From, up to, and from the end."""
    settings = store.settings()
    store.put(settings, "call.wav", BODY)
    answer = store.client.get_object(Bucket=settings.bucket, Key="call.wav", Range=asked)
    assert answer["Body"].read() == expected
    assert answer["ContentLength"] == len(expected)


def test_bytes_that_are_not_there_are_refused(store: ObjectStore) -> None:
    """A range behind the end, or of an empty object."""
    settings = store.settings()
    store.put(settings, "empty.wav", b"")
    with pytest.raises(ClientError, match="InvalidRange"):
        store.client.get_object(Bucket=settings.bucket, Key="empty.wav", Range="bytes=0-0")


def test_a_request_without_credentials_is_refused(store: ObjectStore) -> None:
    """What a page of the web makes a browser send here has none."""
    settings = store.settings()
    store.put(settings, "call.wav", BODY)
    connection = http.client.HTTPConnection(urlsplit(store.endpoint_url).netloc, timeout=10)
    connection.request("GET", f"/{settings.bucket}/call.wav")
    assert connection.getresponse().status == 403
    connection.close()


def test_what_it_does_not_know_it_refuses(store: ObjectStore) -> None:
    """With S3's own word for it, rather than a guess."""
    settings = store.settings()
    store.put(settings, "call.wav", BODY)
    with pytest.raises(ClientError, match="NotImplemented"):
        store.client.get_object_tagging(Bucket=settings.bucket, Key="call.wav")
    with pytest.raises(ClientError, match="NotImplemented"):
        store.client.copy_object(Bucket=settings.bucket, Key="b", CopySource=f"{settings.bucket}/call.wav")


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """The client hears of a server in trouble, which uploads and stages know how to meet."""
    prelude = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
    )
    with served(tmp_path / "objects", prelude) as (endpoint_url, _), credentials(MOTO_CREDENTIALS):
        client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ClientError, match="XMinioStorageFull"):
            client.put_object(Bucket="audio", Key="large.wav", Body=b"x" * 1_500_000)
        client.put_object(Bucket="audio", Key="small.wav", Body=b"x")
        assert len(bodies_in(tmp_path / "objects")) == 1
        client.close()


def test_a_large_object_costs_no_memory(tmp_path: Path) -> None:
    """Uploaded in parts and read back whole, 256 MiB go through the server in pieces."""
    with served(tmp_path / "objects") as (endpoint_url, server), credentials(MOTO_CREDENTIALS):
        client = boto3.client("s3", endpoint_url=endpoint_url, region_name="us-east-1")
        before = peak_resident_bytes(server.pid)
        with (tmp_path / "large.wav").open("wb") as file:
            file.truncate(LARGE_BYTES)
        client.upload_file(str(tmp_path / "large.wav"), "audio", "large.wav")
        body = client.get_object(Bucket="audio", Key="large.wav")["Body"]
        assert sum(len(piece) for piece in body.iter_chunks(1024**2)) == LARGE_BYTES
        client.close()
        assert peak_resident_bytes(server.pid) - before < MEMORY_BYTES


def bodies_in(directory: Path) -> list[Path]:
    """List the files of objects, without the index beside them."""
    return [path for path in directory.iterdir() if not path.name.startswith("index.")]


def peak_resident_bytes(pid: int) -> int:
    """Return the most memory that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@contextmanager
def served(directory: Path, prelude: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Return a store in a process of its own, which has run a line before; its address."""
    command = [sys.executable, "-c", SERVER.format(prelude=prelude), str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
        process.communicate()
