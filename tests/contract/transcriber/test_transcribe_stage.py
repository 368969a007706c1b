"""The transcriber's stage on a real S3 protocol: what it makes of a record, and what it tells."""

import json

import pytest

from consumers.runtime.ports import Weight
from schemas import identity
from schemas.errors import (
    AudioNotFound,
    JobCancelled,
)
from schemas.events import INLINE_TEXT_BYTES, Phase, ProgressEvent
from schemas.kafka.records import Coordinates, Record
from schemas.options import ExportFormat, Lane
from schemas.settings import S3Settings
from tests.contract.transcriber.stage_jobs import (
    TOPICS,
    TRACE,
    Runtime,
    decoded,
    notification,
    objects_record,
    reference_record,
    stage_on,
    transcripts,
    uri,
)
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.object_store import ObjectStore


def test_a_reference_becomes_a_transcript_event(moto_store: ObjectStore, settings: S3Settings) -> None:
    """The event tells source, text, options and addresses; body, exports and job are in the bucket."""
    runtime, engine = Runtime(), WavListener()
    record = reference_record(
        uri(settings),
        idempotency_key="call-1",
        lane="interactive",
        tenant="clinic",
        metadata={"case": "17"},
        options={"exports": ["srt", "json"], "language": "ko"},
        enrich={"profiles": ["summary"]},
    )
    outgoing = stage_on(settings, engine).process(runtime.job(record))
    (event,) = transcripts(outgoing)
    job_id = identity.job_id("call-1")
    assert (event.job_id, event.idempotency_key, event.tenant, event.lane) == (
        job_id,
        "call-1",
        "clinic",
        Lane.INTERACTIVE,
    )
    assert event.text == "second 1. second 2. second 3."
    assert (event.segment_count, event.audio_duration_seconds, event.language) == (3, 3.0, "ko")
    assert event.source.object_size_bytes == len(wav_bytes(3))
    assert event.source.content_type == "audio/wav"
    assert event.metadata == {"case": "17"}
    assert event.enrich is not None
    assert event.enrich.profiles == ("summary",)
    assert event.timing.fetch_seconds is not None
    assert event.timing.total_seconds is not None
    assert not event.reused
    assert not event.source_changed
    keys = moto_store.keys(settings.bucket)
    assert f"kascribe-results/jobs/{job_id}.json" in keys
    assert event.transcript_uri.removeprefix(f"s3://{settings.bucket}/") in keys
    assert sorted(event.exports) == [ExportFormat.JSON, ExportFormat.SRT]
    content_key = event.transcript_uri.rsplit("/", 1)[-1].removesuffix(".json")
    assert f"kascribe-results/exports/{content_key}.srt" in keys
    assert {record.key for record in outgoing} == {job_id.encode()}
    assert outgoing[0].headers[-1] == ("traceparent", TRACE.traceparent.encode())


def test_a_job_tells_its_phases_and_what_it_costs(settings: S3Settings) -> None:
    """Progress goes from accepted to transcribing with all the text, and the weight follows what is known."""
    runtime = Runtime()
    outgoing = stage_on(settings, WavListener()).process(runtime.job(reference_record(uri(settings))))
    phases = [event.phase for event in runtime.progress]
    assert phases[:4] == [Phase.ACCEPTED, Phase.FETCHING, Phase.DECODING, Phase.TRANSCRIBING]
    assert " ".join(event.text for event in runtime.progress if event.text) == "second 1. second 2. second 3."
    assert len(phases) == 5, "text is reported at most twice a second"
    assert decoded(outgoing[1], ProgressEvent).phase is Phase.COMPLETED
    size = len(wav_bytes(3))
    assert runtime.weights == [Weight(size), Weight(size, 3.0)]


def test_several_objects_in_one_notification_go_their_own_ways(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """Each object leaves as a notification of its own, so one that fails harms no other; our own are left out."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    keys = ("a b.wav", "회의.wav", "missing.wav", "kascribe-results/x.json")
    for key in keys[:2]:
        moto_store.client.put_object(Bucket=settings.bucket, Key=key, Body=wav_bytes(1))
    outgoing = stage.process(Runtime().job(objects_record(notification(settings.bucket, *keys))))
    assert [record.topic for record in outgoing] == [TOPICS.objects] * 3
    assert [(record.key or b"").decode() for record in outgoing] == [
        f"{settings.bucket}/{key}" for key in keys[:3]
    ]
    parts = [objects_record(record.value or b"", offset=10 + n) for n, record in enumerate(outgoing)]
    found = [transcripts(stage.process(Runtime().job(part)))[0].source.uri for part in parts[:2]]
    assert found == [uri(settings, key) for key in keys[:2]]
    with pytest.raises(AudioNotFound):
        stage.process(Runtime().job(parts[2]))


@pytest.mark.parametrize("key", ["kascribe-results/jobs/1.json", "kascribe-uploads/x/call.wav", "folder/"])
def test_echoes_of_ourselves_and_folders_are_ignored(settings: S3Settings, key: str) -> None:
    """Results, our uploads and folder markers complete without work."""
    engine = WavListener()
    value = notification(settings.bucket, key)
    assert stage_on(settings, engine).process(Runtime().job(objects_record(value))) == ()
    assert engine.calls == 0


def test_options_are_asked_of_the_object_where_the_notification_has_none(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """AWS tells no user metadata, so the object's own is read before the job is identified."""
    moto_store.client.put_object(
        Bucket=settings.bucket, Key="aws.wav", Body=wav_bytes(1), Metadata={"Language": "ko", "Case": "17"}
    )
    value = notification(settings.bucket, "aws.wav").replace(b"minio:s3", b"aws:s3")
    message = json.loads(value)
    del message["Records"][0]["s3"]["object"]["userMetadata"]
    record = objects_record(json.dumps(message).encode())
    (event,) = transcripts(stage_on(settings, WavListener()).process(Runtime().job(record)))
    assert (event.language, event.metadata) == ("ko", {"case": "17"})
    assert event.source_changed, "the etag of the notification is not the object's"


def test_long_text_travels_in_the_bucket_alone(moto_store: ObjectStore, settings: S3Settings) -> None:
    """Above the limit the event has no text; the body has all of it."""
    seconds = 6_000
    moto_store.client.put_object(
        Bucket=settings.bucket, Key="long.wav", Body=wav_bytes(seconds, sample_rate_hertz=100)
    )
    stage = stage_on(settings, WavListener())
    (event,) = transcripts(stage.process(Runtime().job(reference_record(uri(settings, "long.wav")))))
    assert event.text is None
    key = event.transcript_uri.removeprefix(f"s3://{settings.bucket}/")
    body = json.loads(moto_store.client.get_object(Bucket=settings.bucket, Key=key)["Body"].read())
    assert len(body["text"].encode()) > INLINE_TEXT_BYTES
    assert event.segment_count == seconds


def test_a_cancelled_job_ends_without_output(settings: S3Settings) -> None:
    """Cancelled before the fetch, a job raises and stores nothing."""
    runtime = Runtime(cancelled=True)
    with pytest.raises(JobCancelled):
        stage_on(settings, WavListener()).process(runtime.job(reference_record(uri(settings))))


def test_the_origin_decides_which_topic_a_record_is_of(settings: S3Settings) -> None:
    """A notification that comes back through a retry topic is still a notification."""
    value = notification(settings.bucket, "call.wav")
    retried = Record("audio.objects.retry.10s", 0, 3, None, value)
    job = Runtime().job(retried, origin=Coordinates(TOPICS.objects, 0, 0), attempt=2)
    assert len(transcripts(stage_on(settings, WavListener()).process(job))) == 1
