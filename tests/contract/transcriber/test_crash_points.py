"""A process that is killed between two of a job's writes: the next attempt ends as if there had been no crash."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from consumers.runtime.ports import Job
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from producers.results import ResultStore
from producers.s3 import create_client
from schemas.errors import AudioUndecodable
from schemas.events import Phase, ProgressEvent
from schemas.object_addresses import ObjectAddress
from schemas.options import ExportFormat
from schemas.settings import S3Settings
from tests.contract.transcriber.stage_jobs import (
    TOPICS,
    Runtime,
    decoded,
    notification,
    objects_record,
    reference_record,
    transcripts,
    uri,
)
from tests.sound.wav_listener import WavListener
from tests.support.object_store import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WRITES = 4
"""Of a job with one export: the mark of its use, the transcript, the export, the claim."""


class Killed(BaseException):
    """What ends an attempt at once, wherever it is; nothing may catch it."""


@contextmanager
def killed(client: "S3Client", *, write: int, after: bool) -> Iterator[None]:
    """End the process, as far as the stage can tell, at one of the client's writes: before or after it."""
    writes = 0

    def die(**_: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == write:
            raise Killed

    event = f"{'after' if after else 'before'}-call.s3.PutObject"
    client.meta.events.register(event, die)
    try:
        with pytest.raises(Killed):
            yield
    finally:
        client.meta.events.unregister(event, die)


def process_of(settings: S3Settings, client: "S3Client") -> TranscribeStage:
    """Return a process that knows nothing of the one before."""
    fetcher, results = ObjectFetcher(settings, client=client), ResultStore(settings, client=client)
    return TranscribeStage(fetcher, results, WavListener(), topics=TOPICS, settings=settings)


@pytest.fixture(scope="module")
def client(moto_store: ObjectStore) -> "S3Client":
    """Return a client of its own, since others must not die with it."""
    return create_client(moto_store.settings())


def asked(settings: S3Settings, *, offset: int, reference: str) -> Job:
    """Return a reference for one job."""
    options = {"exports": ["text"]}
    return Runtime().job(
        reference_record(uri(settings), offset=offset, event_id=reference, idempotency_key="k", options=options)
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
@pytest.mark.parametrize("first", ["a", "b"], ids=["its own record comes first", "a joined record comes first"])
def test_a_job_survives_a_crash_at_every_write(
    moto_store: ObjectStore, client: "S3Client", settings: S3Settings, write: int, first: str, *, after: bool
) -> None:
    """Both the record that worked and one that followed it are answered, whichever is delivered again first, and
    the transcript is published by exactly one of them."""
    with killed(client, write=write, after=after):
        process_of(settings, client).process(asked(settings, offset=0, reference="a"))
    successor = process_of(settings, client)
    order = ("a", "b") if first == "a" else ("b", "a")
    outgoing = [
        record
        for reference in order
        for record in successor.process(asked(settings, offset="ab".index(reference), reference=reference))
    ]
    (event,) = transcripts(outgoing)
    ends = [decoded(record, ProgressEvent) for record in outgoing if record.topic == TOPICS.progress]
    assert [(end.phase, end.reference_event_id) for end in ends] == [(Phase.COMPLETED, each) for each in order]
    assert {end.result_uri for end in ends} == {event.transcript_uri}
    address = ObjectAddress.parse(event.exports[ExportFormat.TEXT])
    body = moto_store.client.get_object(Bucket=address.bucket, Key=address.key)["Body"].read()
    assert body.decode().split() == ["second", "1.", "second", "2.", "second", "3."]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("first", [0, 1], ids=["its own record comes first", "its copy comes first"])
def test_a_failure_survives_a_crash_at_its_claim(
    moto_store: ObjectStore, client: "S3Client", settings: S3Settings, first: int, *, after: bool
) -> None:
    """Of two notifications of a bad object one is dead-lettered after it, and the other ends silently."""
    moto_store.client.put_object(Bucket=settings.bucket, Key="bad.wav", Body=b"not audio")
    value = notification(settings.bucket, "bad.wav", time="2026-11-22T09:00:00Z")
    with killed(client, write=1, after=after):
        process_of(settings, client).process(Runtime().job(objects_record(value)))
    successor, failed = process_of(settings, client), []
    for offset in (first, 1 - first):
        try:
            assert successor.process(Runtime().job(objects_record(value, offset=offset))) == ()
        except AudioUndecodable:
            failed.append(offset)
    assert failed == ([0] if after else [first])
