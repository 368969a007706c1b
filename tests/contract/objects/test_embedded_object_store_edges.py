"""The embedded stack's object store at its edges: names, pages, parts and clients that are not well."""

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from kascribe.embedded.object_store import EmbeddedObjectStore
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore, credentials
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store keeps its objects."""
    return tmp_path_factory.mktemp("store") / "objects"


@pytest.fixture(scope="module")
def store(directory: Path) -> Iterator[ObjectStore]:
    """Return a running store."""
    with EmbeddedObjectStore(directory) as embedded, credentials(MOTO_CREDENTIALS):
        running = ObjectStore(embedded.endpoint_url)
        yield running
        running.client.close()


def answered(store: ObjectStore, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of a request that no client library would make."""
    connection = http.client.HTTPConnection(urlsplit(store.endpoint_url).netloc, timeout=10)
    connection.request(method, target, body, {"Authorization": "any"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def no_thread_but(before: set[threading.Thread]) -> None:
    """Wait for the ends of the connections that were opened since; what their threads print is printed then."""
    eventually(
        lambda: set(threading.enumerate()) <= before,
        timeout_seconds=30,
        what="the ends of the connections' threads",
    )


@pytest.mark.parametrize("version", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_page_may_end_at_any_key(store: ObjectStore, version: str, size: int) -> None:
    """Also at one that XML cannot hold, in both versions of the request."""
    settings = store.settings()
    keys = sorted(["a/1.wav", "a/2 & <3>.wav", "b/\x01.wav", "c/%41+ .wav", "회의/한.wav"])
    for key in keys:
        store.put(settings, key, b"x")
    pages = store.client.get_paginator(version).paginate(  # type: ignore[call-overload]
        Bucket=settings.bucket, PaginationConfig={"PageSize": size}
    )
    assert [found["Key"] for page in pages for found in page["Contents"]] == keys


def test_a_key_that_is_no_utf_8_is_refused_and_listings_go_on(store: ObjectStore, directory: Path) -> None:
    """As S3 does: the answers are XML, which could not name it."""
    settings = store.settings()
    before = sorted(directory.iterdir())
    status, body = answered(store, "PUT", f"/{settings.bucket}/caf%E9.wav", b"x")
    assert (status, b"InvalidArgument" in body) == (400, True)
    assert sorted(directory.iterdir()) == before
    assert store.keys(settings.bucket) == []


def test_a_key_is_a_name_and_never_a_path(store: ObjectStore, directory: Path) -> None:
    """Nothing is written outside the store's directory, and the key comes back as it was."""
    settings = store.settings()
    keys = ["../../out.wav", "..", "/etc/passwd", "a//b", "a/" * 500 + "k"]
    outside = sorted(directory.parent.iterdir())
    for key in keys:
        store.put(settings, key, key.encode())
    assert store.keys(settings.bucket) == sorted(keys)
    for key in keys:
        assert store.client.get_object(Bucket=settings.bucket, Key=key)["Body"].read() == key.encode()
    assert sorted(directory.parent.iterdir()) == outside


@pytest.mark.parametrize("number", ["0", "10001", "one", "-1"])
def test_a_part_without_a_proper_number_is_refused_and_leaves_no_file(
    store: ObjectStore, directory: Path, number: str
) -> None:
    """S3 counts from 1 to 10,000."""
    settings = store.settings()
    upload_id = store.client.create_multipart_upload(Bucket=settings.bucket, Key="a")["UploadId"]
    before = sorted(directory.iterdir())
    target = f"/{settings.bucket}/a?uploadId={upload_id}&partNumber={number}"
    status, body = answered(store, "PUT", target, b"part")
    assert (status, b"InvalidArgument" in body) == (400, True)
    assert sorted(directory.iterdir()) == before


def test_a_part_that_is_listed_twice_is_refused_and_the_upload_goes_on(store: ObjectStore) -> None:
    """So is disorder. The client may list them rightly then."""
    settings = store.settings()
    bucket, client = settings.bucket, store.client
    upload_id = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    one, two = (
        client.upload_part(Bucket=bucket, Key="a", UploadId=upload_id, PartNumber=number, Body=b"%d" % number)
        for number in (1, 2)
    )
    first: CompletedPartTypeDef = {"PartNumber": 1, "ETag": one["ETag"]}
    second: CompletedPartTypeDef = {"PartNumber": 2, "ETag": two["ETag"]}

    def complete(parts: "list[CompletedPartTypeDef]") -> None:
        client.complete_multipart_upload(
            Bucket=bucket, Key="a", UploadId=upload_id, MultipartUpload={"Parts": parts}
        )

    for wrong in ([first, first], [second, first]):
        with pytest.raises(ClientError, match="InvalidPart"):
            complete(wrong)
    complete([first, second])
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"12"


def test_a_client_that_sends_on_after_a_refusal_reads_it(store: ObjectStore) -> None:
    """A full disk is found in the middle of a body; a reset would hide it from a client that sends first."""
    body = bytes(16 * 1024**2)
    for _ in range(5):
        status, document = answered(store, "PUT", "/none/a?uploadId=none&partNumber=0", body)
        assert (status, b"InvalidArgument" in document) == (400, True)


def test_one_of_many_that_create_a_key_at_once_succeeds(store: ObjectStore, directory: Path) -> None:
    """The others are told that it exists, and their bytes are gone: a job has one owner."""
    settings = store.settings()
    before = len(list(directory.iterdir()))
    begin = threading.Barrier(8)
    refusals: list[str] = []

    def created(number: int) -> bool:
        begin.wait()
        try:
            store.client.put_object(Bucket=settings.bucket, Key="job", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            refusals.append(str(error.response["Error"]["Code"]))
            return False
        return True

    with ThreadPoolExecutor(8) as clients:
        won = list(clients.map(created, range(8)))
    assert (won.count(True), refusals) == (1, ["PreconditionFailed"] * 7)
    body = store.client.get_object(Bucket=settings.bucket, Key="job")["Body"].read()
    assert body == b"%d" % won.index(True)
    assert len(list(directory.iterdir())) == before + 1


def test_a_request_that_is_refused_prints_nothing(store: ObjectStore, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither one without credentials nor one that cannot be read: the board is drawn on that terminal."""
    before = set(threading.enumerate())
    signed = {"Authorization": "any"}
    for target, headers, status in (("/", {}, 403), ("/b/%FF", signed, 400), ("/none/key", signed, 404)):
        connection = http.client.HTTPConnection(urlsplit(store.endpoint_url).netloc, timeout=10)
        connection.request("GET", target, headers=headers)
        assert connection.getresponse().status == status
        connection.close()
    no_thread_but(before)
    assert capfd.readouterr().err == ""


def test_a_client_that_dies_between_requests_prints_nothing(
    store: ObjectStore, capfd: pytest.CaptureFixture[str]
) -> None:
    """A command that is killed resets its connection; the board is drawn on that terminal."""
    address = urlsplit(store.endpoint_url)
    before = set(threading.enumerate())
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: s3\r\nAuthorization: any\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        # Not to linger: the end is a reset, as of a process that is killed with unread bytes.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    no_thread_but(before)
    assert capfd.readouterr().err == ""


def test_what_a_crash_left_is_gone_at_the_next_start(tmp_path: Path) -> None:
    """Also parts of uploads that never ended; and the store takes its own directory alone."""
    directory, beside = tmp_path / "objects", tmp_path / "beside.wav"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "left").write_bytes(b"x")
    beside.write_bytes(b"x")
    with EmbeddedObjectStore(directory):
        assert [path for path in directory.iterdir() if not path.name.startswith("index.")] == []
    assert beside.exists()
