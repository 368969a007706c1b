"""One job, one owner, one transcription: however often, in whatever order and wherever its records arrive."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.runtime.stage import FollowsAnother
from schemas.errors import JobCancelled, Reason
from schemas.events import Failure, ProgressEvent
from schemas.options import ExportFormat
from schemas.records import Record
from schemas.settings import S3Settings
from tests.contract.stage_jobs import (
    Runtime,
    decoded,
    notification,
    objects_record,
    reference_record,
    stage_on,
    transcripts,
    uri,
)
from tests.object_store import ObjectStore
from tests.waiting import eventually
from tests.wav_listener import WavListener, wav_bytes


def test_a_redelivered_record_publishes_its_event_again(settings: S3Settings) -> None:
    """The record that owns a job publishes the same event again, without hearing anything again."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    job = runtime.job(reference_record(uri(settings), idempotency_key="k"))
    first, second = stage.process(job), stage.process(job)
    assert [record.value for record in first[:1]] == [record.value for record in second[:1]]
    assert engine.heard == 1


def test_a_retried_record_is_known_by_where_it_was_first_read(settings: S3Settings) -> None:
    """Through a retry topic the owner stays the origin, so the event is published again."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    record = reference_record(uri(settings), idempotency_key="k", offset=5)
    stage.process(runtime.job(record))
    retried = Record("audio.references.retry.10s", 0, 99, None, record.value)
    assert len(transcripts(stage.process(runtime.job(retried, origin=record.coordinates, attempt=2)))) == 1


def test_another_record_of_the_same_job_completes_silently(settings: S3Settings) -> None:
    """The job's event is published once, by its owner."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    stage.process(runtime.job(reference_record(uri(settings), idempotency_key="k", offset=1)))
    again = stage.process(runtime.job(reference_record(uri(settings), idempotency_key="k", offset=2)))
    assert again == ()
    assert engine.heard == 1


def test_the_same_audio_is_heard_once_and_published_for_every_job(settings: S3Settings) -> None:
    """A new job with known bytes, options and model reuses the result, and its event says so."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    (first,) = transcripts(stage.process(runtime.job(reference_record(uri(settings), idempotency_key="a"))))
    (second,) = transcripts(
        stage.process(
            runtime.job(
                reference_record(
                    uri(settings),
                    idempotency_key="b",
                    offset=1,
                    options={"model": "wav-listener", "exports": ["vtt"]},
                )
            )
        )
    )
    assert engine.heard == 1
    assert (first.reused, second.reused) == (False, True)
    assert (first.transcript_uri, first.text) == (second.transcript_uri, second.text)
    assert list(second.exports) == [ExportFormat.VTT]
    assert (second.usage.decoded_tokens, second.timing.inference_seconds) == (0, None)
    stage.process(runtime.job(reference_record(uri(settings), offset=2, options={"language": "ko"})))
    assert engine.heard == 2, "other options are another result"


def test_a_wish_for_other_files_is_a_job_of_its_own(settings: S3Settings) -> None:
    """Nothing is heard again, but what was not asked for before is written, told, and known when it fails."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    stage.process(runtime.job(reference_record(uri(settings), etag="e")))
    wish = {"etag": "e", "options": {"exports": ["srt"]}, "enrich": {"instruction": "summarise"}}
    job = runtime.job(reference_record(uri(settings), offset=1, **wish))
    (event,) = transcripts(stage.process(job))
    assert engine.heard == 1
    assert list(event.exports) == [ExportFormat.SRT]
    failure = Failure(reason=Reason.INTERNAL_ERROR, message="for example", attempt=1)
    (told,) = stage.failed(job, failure)
    assert decoded(told, ProgressEvent).job_id == event.job_id


def test_both_copies_of_a_notification_are_heard_once(moto_store: ObjectStore, settings: S3Settings) -> None:
    """The second copy, arriving while the first is in flight, completes without output or work."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    key = "회의 녹음/a+b.wav"
    etag = moto_store.client.put_object(Bucket=settings.bucket, Key=key, Body=wav_bytes(2))["ETag"].strip('"')
    value = notification(settings.bucket, key, metadata={"Language": "ko"}, etag=etag)
    engine.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(stage.process, Runtime().job(objects_record(value)))
        eventually(lambda: engine.running == 1, timeout_seconds=30)
        with pytest.raises(FollowsAnother):
            stage.process(Runtime().job(objects_record(value, offset=1)))
        engine.gate.set()
        (event,) = transcripts(first.result(timeout=30))
    assert engine.heard == 1
    assert (event.language, event.source.uri, event.source_changed) == ("ko", uri(settings, key), False)
    assert stage.process(Runtime().job(objects_record(value, offset=2))) == ()


def test_the_same_record_read_again_follows_its_earlier_attempt(settings: S3Settings) -> None:
    """After a partition left and came back, the old attempt's outcome is dropped: the new one works after it."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    record = reference_record(uri(settings), idempotency_key="k")
    old, new = Runtime(), Runtime()
    engine.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(stage.process, old.job(record))
        eventually(lambda: engine.running == 1, timeout_seconds=30)
        with pytest.raises(FollowsAnother) as told:
            stage.process(new.job(record))
        assert told.value.leader == record.coordinates
        old.cancelled = True
        with pytest.raises(JobCancelled):
            first.result(timeout=30)
    engine.gate.set()
    assert len(transcripts(stage.process(new.job(record)))) == 1


def test_two_processes_agree_on_one_owner(settings: S3Settings) -> None:
    """When two processes finish the same job, exactly one record publishes, however close they are."""
    engine = WavListener()
    stages = [stage_on(settings, engine) for _ in range(4)]
    together = threading.Barrier(4)

    def run(number: int) -> int:
        together.wait(timeout=30)
        record = reference_record(uri(settings), idempotency_key="k", offset=number)
        return len(transcripts(stages[number].process(Runtime().job(record))))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(run, range(4))) == 1


def test_a_reference_without_key_or_version_is_identified_by_what_is_there(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """Asking again for an overwritten object is another job; asking again for the same one is not."""
    stage = stage_on(settings, WavListener())

    def ask(offset: int) -> int:
        record = reference_record(uri(settings), offset=offset)
        return len(transcripts(stage.process(Runtime().job(record))))

    assert [ask(0), ask(1)] == [1, 0]
    moto_store.client.put_object(Bucket=settings.bucket, Key="call.wav", Body=wav_bytes(1))
    assert ask(2) == 1
