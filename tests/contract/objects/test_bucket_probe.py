"""Probes of the bucket: what they count as down, what they log, and what a refused write leads to."""

import re

import pytest
from botocore.stub import Stubber
from structlog.testing import capture_logs

import consumers.s3
import producers.s3
from producers.results import ResultStore
from schemas.errors import DependencyDown
from schemas.options import ExportFormat
from tests.support.object_store import ObjectStore

PREFIX = "kascribe-results/"


@pytest.mark.parametrize(
    ("code", "of_any", "of_results"),
    [
        ("AccessDenied", True, False),
        ("NoSuchKey", True, True),
        ("InvalidAccessKeyId", False, False),
        ("RequestTimeTooSkewed", False, False),
        ("NoSuchBucket", False, False),
    ],
)
def test_credentials_that_the_store_does_not_know_are_told_from_those_that_may_not_read(
    moto_store: ObjectStore, code: str, of_any: bool, of_results: bool
) -> None:
    """Wrong credentials are every record's trouble, and so is a results bucket that may not be read at all."""
    client = consumers.s3.create_client(moto_store.settings())
    settings = moto_store.settings()
    with Stubber(client) as answers:
        for prefix, expected in ((None, of_any), (PREFIX, of_results)):
            answers.add_client_error("get_object", service_error_code=code, http_status_code=403)
            probe = consumers.s3.BucketProbe(settings, "audio", prefix=prefix, client=client)
            assert probe.is_up() is expected


def test_the_cause_is_logged_once_two_checks_in_a_row_have_failed(moto_store: ObjectStore) -> None:
    """One slow answer is no outage; a cause that stays is told once, and so is its end."""
    client = consumers.s3.create_client(moto_store.settings())
    probe = consumers.s3.BucketProbe(moto_store.settings(), "audio", prefix=PREFIX, client=client)
    with Stubber(client) as answers, capture_logs() as lines:
        for code in ("SlowDown", "NoSuchKey", "AccessDenied", "AccessDenied", "AccessDenied", "NoSuchKey"):
            answers.add_client_error("get_object", service_error_code=code, http_status_code=403)
            probe.is_up()
    assert [line["event"] for line in lines] == ["bucket cannot be used", "bucket can be used again"]
    assert "403 AccessDenied; allow these credentials" in lines[0]["error"]


def test_a_store_that_is_not_reached_is_logged_with_the_system_s_reason(moto_store: ObjectStore) -> None:
    """A name that does not resolve is told from a port on which nothing listens."""
    refused = moto_store.settings().model_copy(update={"endpoint_url": "http://127.0.0.1:9"})
    unknown = moto_store.settings().model_copy(update={"endpoint_url": "http://store.invalid:9"})
    for settings, reason in ((refused, "Connection refused"), (unknown, "[Nn]ame|resolution")):
        probe = consumers.s3.BucketProbe(settings, "audio")
        with capture_logs() as lines:
            assert not any(probe.is_up() for _ in range(2))
        assert re.search(f"endpoint URL.*: .*{reason}", lines[0]["error"])
        with pytest.raises(DependencyDown, match=reason):
            ResultStore(settings).find_job("job")


def test_a_bucket_that_refuses_a_result_is_not_writable_until_it_takes_one(moto_store: ObjectStore) -> None:
    """The store is asked only after a refusal, and as long as it refuses."""
    settings = moto_store.settings()
    client = producers.s3.create_client(settings)
    results = ResultStore(settings, client=client)
    assert results.is_writable()
    with Stubber(client) as answers:
        for _ in range(2):
            answers.add_client_error("put_object", service_error_code="AccessDenied", http_status_code=403)
        with pytest.raises(DependencyDown, match="allow these credentials") as refused:
            results.put_export("job", ExportFormat.SRT, b"", "text/plain")
        assert refused.value.fails_every_record
        assert not results.is_writable()
        answers.add_response("put_object", {})
        assert results.is_writable()
        assert results.is_writable(), "asked without a refusal"


@pytest.mark.parametrize(("status", "code"), [(507, "XMinioStorageFull"), (400, "XMinioAdminBucketQuotaExceeded")])
def test_a_store_without_room_fails_every_record(moto_store: ObjectStore, status: int, code: str) -> None:
    """No record pays for it with an attempt."""
    settings = moto_store.settings()
    client = producers.s3.create_client(settings)
    with Stubber(client) as answers:
        answers.add_client_error("put_object", service_error_code=code, http_status_code=status)
        with pytest.raises(DependencyDown) as refused:
            ResultStore(settings, client=client).put_export("job", ExportFormat.SRT, b"", "text/plain")
    assert refused.value.fails_every_record
