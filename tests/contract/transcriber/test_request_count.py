"""How many requests of the store a job takes: each costs up to two milliseconds of CPU time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from consumers.runtime.ports import Job
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from producers.results import ResultStore
from producers.s3 import create_client
from schemas.settings import S3Settings
from tests.contract.objects.fetch_suite import PART_BYTES, never
from tests.contract.transcriber.stage_jobs import (
    TOPICS,
    Runtime,
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

FIND_JOB = "GET job"
READ_AUDIO = "GET audio"
FIND_TRANSCRIPT = "GET transcript"
STORE = ["PUT user", "PUT transcript", "PUT job"]


@pytest.fixture(scope="module")
def client(moto_store: ObjectStore) -> "S3Client":
    """Return a client whose requests are counted."""
    return create_client(moto_store.settings())


@pytest.fixture
def stage(settings: S3Settings, client: "S3Client") -> TranscribeStage:
    """Return the stage with real fetch and real results."""
    fetcher, results = ObjectFetcher(settings, client=client), ResultStore(settings, client=client)
    return TranscribeStage(fetcher, results, WavListener(), topics=TOPICS, settings=settings)


@contextmanager
def sent_requests(client: "S3Client") -> Iterator[list[str]]:
    """Collect the requests that the client sends, retries included: the method, and what it is about."""
    sent: list[str] = []

    def add(request: Any, **_: object) -> None:
        sent.append(f"{request.method} {_kind(request.url)}")

    client.meta.events.register("before-send.s3", add)
    try:
        yield sent
    finally:
        client.meta.events.unregister("before-send.s3", add)


def _kind(url: str) -> str:
    kinds = ("job", "transcript", "user")
    return next((kind for kind in kinds if f"/kascribe-results/{kind}s/" in url), "audio")


def asked(settings: S3Settings, *, offset: int = 0, **fields: Any) -> Job:
    """Return a reference to the object of the test's bucket."""
    return Runtime().job(reference_record(uri(settings), offset=offset, **fields))


def test_a_job_takes_six_requests(stage: TranscribeStage, client: "S3Client", settings: S3Settings) -> None:
    """Is it done? The audio. Has its content been transcribed? Then the mark, the transcript and the job."""
    with sent_requests(client) as sent:
        assert transcripts(stage.process(asked(settings, idempotency_key="k")))
    assert sent == [FIND_JOB, READ_AUDIO, FIND_TRANSCRIPT, *STORE]


def test_each_export_takes_one_more(stage: TranscribeStage, client: "S3Client", settings: S3Settings) -> None:
    """Exports are objects of their own."""
    with sent_requests(client) as sent:
        stage.process(asked(settings, options={"exports": ["srt", "vtt"]}))
    assert len(sent) == 8


def test_a_redelivered_record_takes_one(stage: TranscribeStage, client: "S3Client", settings: S3Settings) -> None:
    """The stored job has all that its owner publishes, and all that another record is told."""
    stage.process(asked(settings, idempotency_key="k"))
    for offset in (0, 1):
        with sent_requests(client) as sent:
            assert stage.process(asked(settings, offset=offset, idempotency_key="k", event_id=f"e{offset}"))
        assert sent == [FIND_JOB]


def test_a_reused_transcript_takes_six(stage: TranscribeStage, client: "S3Client", settings: S3Settings) -> None:
    """Instead of storing the transcript, the job makes sure that it outlived the mark."""
    stage.process(asked(settings, event_id="a"))
    with sent_requests(client) as sent:
        (event,) = transcripts(stage.process(asked(settings, offset=1, event_id="b")))
    assert event.reused
    assert sent == [FIND_JOB, READ_AUDIO, FIND_TRANSCRIPT, "PUT user", "HEAD transcript", "PUT job"]


def test_a_notification_takes_as_many(stage: TranscribeStage, client: "S3Client", settings: S3Settings) -> None:
    """MinIO's has the object's metadata, with the options."""
    value = notification(settings.bucket, "call.wav", metadata={"language": "ko"})
    with sent_requests(client) as sent:
        assert transcripts(stage.process(Runtime().job(objects_record(value))))
    assert sent == [FIND_JOB, READ_AUDIO, FIND_TRANSCRIPT, *STORE]


def test_a_notification_without_metadata_takes_one_more(
    stage: TranscribeStage, client: "S3Client", settings: S3Settings
) -> None:
    """The options of a dropped object are in its metadata, and part of its job's identity."""
    place = {"bucket": {"name": settings.bucket}, "object": {"key": "call.wav"}}
    one = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": place}
    record = objects_record(json.dumps({"Records": [one]}).encode())
    with sent_requests(client) as sent:
        assert transcripts(stage.process(Runtime().job(record)))
    assert sent == ["HEAD audio", FIND_JOB, READ_AUDIO, FIND_TRANSCRIPT, *STORE]


def test_every_further_part_of_a_long_file_takes_one(client: "S3Client", moto_store: ObjectStore) -> None:
    """The first part comes with the state, so an object of three parts takes three requests."""
    settings = moto_store.settings(part_size_bytes=PART_BYTES)
    body = bytes(3 * PART_BYTES - 1)
    moto_store.put(settings, "call.wav", body)
    fetcher = ObjectFetcher(settings, client=client)
    with (
        sent_requests(client) as sent,
        fetcher.fetch(fetcher.wanted(uri(settings)), cancelled=never) as audio,
    ):
        assert audio.path.read_bytes() == body
    assert sent == [READ_AUDIO] * 3
