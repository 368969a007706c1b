"""Fetch and results on the S3 server in this process, and what needs no server at all."""

import errno
import inspect
import io
import os
import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3.exceptions
import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

import consumers.s3
import producers.s3
from consumers.transcriber.fetch import PARTS_AT_ONCE, ObjectFetcher, _wait_for_all
from producers.results import ResultStore
from schemas.errors import (
    SCRATCH,
    AudioForbidden,
    AudioNotFound,
    DependencyDown,
    JobError,
    SourceNotAllowed,
)
from schemas.object_addresses import S3, allowed_address
from schemas.options import ExportFormat
from schemas.settings import S3Settings
from tests.contract.objects.fetch_suite import BODY, KEY, FetchSuite, fetched, leftovers, never
from tests.contract.objects.removal_suite import RemovalSuite
from tests.contract.objects.result_suite import ResultSuite
from tests.support.object_store import ObjectStore


@pytest.fixture
def store(moto_store: ObjectStore) -> ObjectStore:
    """Return the server that the suites run on."""
    return moto_store


class TestFetch(FetchSuite):
    """``ObjectFetcher`` on moto."""


class TestResults(ResultSuite):
    """``ResultStore`` on moto."""


class TestRemoval(RemovalSuite):
    """``ResultRemoval`` on moto."""


@pytest.mark.parametrize("module", [botocore.exceptions, boto3.exceptions])
def test_no_exception_of_the_s3_library_is_unmapped(module: Any) -> None:
    """Everything that botocore and boto3 can raise has a root that our seams translate."""
    roots = (BotoCoreError, ClientError, boto3.exceptions.Boto3Error)
    # Warnings are not raised; a service model without an attribute is the library's own packaging at fault.
    no_answers = (Warning, botocore.exceptions.UndefinedModelAttributeError)
    unmapped = [
        name
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, BaseException)
        and kind.__module__ == module.__name__
        and not issubclass(kind, roots + no_answers)
    ]
    assert unmapped == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 409, 411, 412, 416, 429, 500, 501, 503, 301, 0])
@pytest.mark.parametrize("seam", [consumers.s3.s3_errors, producers.s3.s3_errors])
def test_every_refusal_becomes_a_job_error(seam: Any, status: int) -> None:
    """Whatever status a store answers, the record gets one of our errors, with what was being done."""
    error = ClientError({"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]
    with pytest.raises(JobError, match="reading it"), seam("reading it"):
        raise error


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", AudioNotFound),
        (404, "404", AudioNotFound),
        (405, "MethodNotAllowed", AudioNotFound),
        (403, "AccessDenied", AudioForbidden),
        (403, "InvalidObjectState", AudioForbidden),
        (403, "SignatureDoesNotMatch", DependencyDown),
        (403, "RequestTimeTooSkewed", DependencyDown),
        (400, "ExpiredToken", DependencyDown),
        (400, "RequestTimeout", DependencyDown),
        (503, "SlowDown", DependencyDown),
        (500, "InternalError", DependencyDown),
    ],
)
def test_a_refusal_of_one_object_is_told_from_a_store_in_trouble(
    status: int, code: str, expected: type[JobError]
) -> None:
    """What would fail for every record pauses intake; what is about this object does not."""
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(expected), consumers.s3.s3_errors("reading it"):
        raise ClientError(answer, "GetObject")


def test_a_results_bucket_that_cannot_be_written_says_what_to_do(moto_store: ObjectStore) -> None:
    """Its message reaches the log while intake pauses, and the dead letter if it comes to that."""
    missing = ResultStore(moto_store.settings(results_bucket="no-such-bucket-here"), client=moto_store.client)
    with pytest.raises(DependencyDown, match="KASCRIBE_S3_RESULTS_BUCKET"):
        missing.put_export("job", ExportFormat.SRT, b"", "text/plain")
    client = producers.s3.create_client(moto_store.settings())
    forbidden = ResultStore(moto_store.settings(), client=client)
    with Stubber(client) as answers:
        answers.add_client_error("put_object", service_error_code="AccessDenied", http_status_code=403)
        with pytest.raises(DependencyDown, match="allow these credentials"):
            forbidden.put_export("job", ExportFormat.SRT, b"", "text/plain")


def test_an_object_of_unknown_size_is_not_taken_for_its_first_part(
    moto_store: ObjectStore, tmp_path: Path
) -> None:
    """HTTP allows a range of an unknown total."""
    settings = moto_store.settings()
    client = consumers.s3.create_client(settings)
    answer = {
        "Body": StreamingBody(io.BytesIO(BODY), len(BODY)),
        "ContentLength": len(BODY),
        "ContentRange": f"bytes 0-{len(BODY) - 1}/*",
        "ETag": '"etag"',
        "Metadata": {},
    }
    fetcher = ObjectFetcher(settings, scratch_directory=tmp_path, client=client)
    with Stubber(client) as answers:
        answers.add_response("get_object", answer)
        with pytest.raises(DependencyDown, match="size") as raised, fetched(fetcher, settings, KEY):
            pass
    assert raised.value.dependency == S3


def test_threads_that_read_parts_have_connections_of_their_own(moto_store: ObjectStore, tmp_path: Path) -> None:
    """Beyond its limit, the client's pool closes each connection after one request."""
    fetcher = ObjectFetcher(moto_store.settings(), scratch_directory=tmp_path, connections=3)
    client: Any = fetcher._objects._client
    assert client.meta.config.max_pool_connections == 3 + PARTS_AT_ONCE
    fetcher.close()


def test_a_full_scratch_disk_pauses_intake(
    moto_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for the object, known before or met while writing, is the disk's fault alone."""
    settings = moto_store.settings()
    moto_store.put(settings, KEY, BODY)
    fetcher = ObjectFetcher(settings, scratch_directory=tmp_path, client=moto_store.client)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=len(BODY) - 1))
    with pytest.raises(DependencyDown) as raised, fetched(fetcher, settings, KEY):
        pass
    assert (raised.value.dependency, fetcher.is_up(SCRATCH)) == (SCRATCH, False)
    monkeypatch.undo()
    assert fetcher.is_up(SCRATCH)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DependencyDown, match="full"), fetched(fetcher, settings, KEY):
        pass
    assert leftovers(tmp_path) == []


def test_a_failed_fetch_waits_for_no_part_of_another_object() -> None:
    """Its own parts that stand in line behind others are cancelled, and what is cancelled is not waited for."""
    gate = threading.Event()
    failed: Future[bool] = Future()
    failed.set_exception(DependencyDown("s3", "an answer ended early"))
    with ThreadPoolExecutor(1) as connections, ThreadPoolExecutor(1) as fetches:
        connections.submit(gate.wait)
        waiting = connections.submit(lambda: True)
        try:
            ended = fetches.submit(_wait_for_all, [failed, waiting]).exception(timeout=30)
        finally:
            gate.set()
    assert isinstance(ended, DependencyDown)


def test_the_file_lives_as_long_as_its_context(moto_store: ObjectStore, tmp_path: Path) -> None:
    """An exception inside the context removes the file as well."""
    settings = moto_store.settings()
    moto_store.put(settings, KEY, BODY)
    fetcher = ObjectFetcher(settings, scratch_directory=tmp_path, client=moto_store.client)
    state = fetcher.stat(f"s3://{settings.bucket}/{KEY}")
    seen: list[bytes] = []

    def fail(path: Path) -> None:
        seen.append(path.read_bytes())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), fetcher.fetch(state, cancelled=never) as audio:
        fail(audio.path)
    assert seen == [BODY]
    assert leftovers(tmp_path) == []


def test_only_the_named_buckets_are_allowed() -> None:
    """Without a list only the upload bucket may be named; with one, only its members."""
    assert allowed_address("s3://audio/a?b#c%20", S3Settings()).key == "a?b#c%20"
    several = S3Settings(allowed_buckets=("calls", "meetings"))
    assert allowed_address("s3://meetings/x", several).bucket == "meetings"
    with pytest.raises(SourceNotAllowed, match="KASCRIBE_S3_ALLOWED_BUCKETS"):
        allowed_address("s3://audio/x", several)
