"""One request that fails: one dead letter and one FAILED event, however often its record arrives."""

from dataclasses import replace

import pytest

from consumers.runtime.ports import Job
from consumers.transcriber.transcribe import TranscribeStage
from schemas.errors import (
    DependencyDown,
    InvalidOptions,
    PermanentError,
)
from schemas.kafka import dead_letters
from schemas.kafka.dead_letters import Cause, Site
from schemas.kafka.records import Record
from schemas.options import EnrichOptions
from schemas.settings import S3Settings
from tests.contract.enricher.enrich_bench import Bench
from tests.contract.enricher.enrich_jobs import WHEN, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.transcriber.stage_jobs import (
    TOPICS,
    Runtime,
    notification,
    objects_record,
    reference_record,
    stage_on,
    uri,
)
from tests.contract.vllm.vllm_faults import Fault
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.object_store import ObjectStore


def _end(stage: TranscribeStage, job: Job) -> str:
    """``silent``, or how the record is dead-lettered."""
    try:
        outgoing = stage.process(job)
    except PermanentError as error:
        return error.reason.value
    assert outgoing == ()
    return "silent"


def test_of_two_notifications_of_a_bad_object_one_is_dead_lettered(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """A failure is claimed like a success: the other copy ends silently, in this process and in any other.

    The claim's owner is dead-lettered whenever it comes back: the crash may have come before its letter.
    """
    moto_store.client.put_object(Bucket=settings.bucket, Key="bad.wav", Body=b"not audio")
    value = notification(settings.bucket, "bad.wav", time="2026-11-22T09:00:00.000Z")
    first, copy = (Runtime().job(objects_record(value, offset=offset)) for offset in (1, 2))
    assert _end(stage_on(settings, WavListener()), first) == "audio_undecodable"
    assert _end(stage_on(settings, WavListener()), copy) == "silent"
    assert _end(stage_on(settings, WavListener()), first) == "audio_undecodable", (
        "its owner's letter may be missing"
    )


def test_a_bad_object_that_is_dropped_again_fails_again(moto_store: ObjectStore, settings: S3Settings) -> None:
    """The same bytes under the same name, later: the second drop gets an answer of its own."""
    moto_store.client.put_object(Bucket=settings.bucket, Key="bad.wav", Body=b"not audio")
    stage = stage_on(settings, WavListener())
    ends = [
        _end(stage, Runtime().job(objects_record(notification(settings.bucket, "bad.wav", time=time), offset=n)))
        for n, time in enumerate(("2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z", "2026-11-22T09:05:00Z"))
    ]
    assert ends == ["audio_undecodable", "silent", "audio_undecodable"]


def test_of_two_notifications_that_reuse_a_key_one_is_dead_lettered(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """A key that names other audio fails like anything else: one letter, however often the drop is announced."""
    moto_store.client.put_object(Bucket=settings.bucket, Key="first.wav", Body=wav_bytes(1))
    moto_store.client.put_object(Bucket=settings.bucket, Key="other.wav", Body=wav_bytes(2))
    stage = stage_on(settings, WavListener())
    stage.process(Runtime().job(reference_record(uri(settings, "first.wav"), idempotency_key="k")))
    value = notification(
        settings.bucket, "other.wav", metadata={"Idempotency-Key": "k"}, time="2026-11-22T09:00:00Z"
    )
    ends = [_end(stage, Runtime().job(objects_record(value, offset=offset))) for offset in (1, 2, 1)]
    assert ends == ["key_reused", "silent", "key_reused"]


def test_bad_objects_that_share_a_key_are_told_one_by_one(moto_store: ObjectStore, settings: S3Settings) -> None:
    """Dropped at one moment with one key, as a script does that gives all its files the same metadata."""
    stage = stage_on(settings, WavListener())
    ends = []
    for offset, name in enumerate(("one.wav", "two.wav")):
        moto_store.client.put_object(Bucket=settings.bucket, Key=name, Body=b"not audio")
        value = notification(settings.bucket, name, metadata={"Idempotency-Key": "k"}, time="2026-11-22T09:00:00Z")
        ends.append(_end(stage, Runtime().job(objects_record(value, offset=offset))))
    assert ends == ["audio_undecodable", "audio_undecodable"]


def test_a_letter_that_is_redriven_and_fails_again_is_dead_lettered_again(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """Whichever record owned the failure, the only letter that is left may not vanish."""
    moto_store.client.put_object(Bucket=settings.bucket, Key="bad.wav", Body=b"not audio")
    stage = stage_on(settings, WavListener())
    value = notification(settings.bucket, "bad.wav", time="2026-11-22T09:00:00Z")
    assert _end(stage, Runtime().job(objects_record(value))) == "audio_undecodable"
    failed = objects_record(value, offset=9)
    cause, site = Cause("audio_undecodable", "no"), Site("transcriber", "group", 0)
    letter = dead_letters.write(failed, cause, site, attempt=1)
    kept = dead_letters.read(Record(letter.topic, 0, 3, letter.key, letter.value, letter.headers))
    again = dead_letters.redrive(kept, topic=TOPICS.objects, now_ms=1)
    redriven = Record(again.topic, 0, 10, again.key, again.value, again.headers)
    assert _end(stage, Runtime().job(redriven)) == "audio_undecodable"


def test_a_failure_that_cannot_be_claimed_waits_for_the_store(settings: S3Settings) -> None:
    """Telling it twice and not telling it are both worse than trying again; a last attempt is told for itself."""
    value = (
        b'{"event_id": "a", "occurred_at": "2026-01-01T00:00:00Z", "uri": "s3://a/b", "options": {"task": "sing"}}'
    )
    nowhere = settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9", "timeout_seconds": 0.5})
    job = Runtime().job(Record("audio.references", 0, 0, None, value))
    with pytest.raises(DependencyDown):
        stage_on(nowhere, WavListener()).process(job)
    with pytest.raises(InvalidOptions):
        stage_on(nowhere, WavListener()).process(replace(job, is_final=lambda _: True))


def test_two_references_with_one_key_that_fail_are_both_told(settings: S3Settings) -> None:
    """Each of two callers gets an answer of its own; a producer's copy of one of them gets none."""
    stage = stage_on(settings, WavListener())
    ends = [
        _end(
            stage,
            Runtime().job(reference_record("s3://elsewhere/a", idempotency_key="k", event_id=name, offset=offset)),
        )
        for offset, name in enumerate(("a", "b", "a"))
    ]
    assert ends == ["source_not_allowed", "source_not_allowed", "silent"]


def test_of_two_copies_of_a_transcript_that_cannot_be_enriched_one_is_dead_lettered(bench: Bench) -> None:
    """The transcriber publishes at least once. A later reference gets an answer of its own."""
    bench.double.always = Fault.WRONG_SHAPE
    uri = bench.transcript(spoken(9))
    enrich = EnrichOptions(profiles=("summary",))

    def end(offset: int, reference: str) -> str:
        record = transcript_record(
            uri, enrich=enrich, offset=offset, reference_event_id=reference, reference_occurred_at=WHEN
        )
        try:
            outgoing = bench.process(record)
        except PermanentError as error:
            return error.reason.value
        assert outgoing == ()
        return "silent"

    ends = [end(offset, reference) for offset, reference in ((0, "a"), (1, "a"), (0, "a"), (2, "b"))]
    assert ends == ["enrichment_invalid", "silent", "enrichment_invalid", "enrichment_invalid"]
