"""One job, one owner, one transcription: however often, in whatever order and wherever its records arrive."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consumers.runtime.ports import FollowsAnother, Job
from schemas.errors import (
    JobCancelled,
    KeyReused,
    Reason,
)
from schemas.events import Failure, Phase, ProgressEvent
from schemas.identity import job_id, reference_key
from schemas.kafka.records import Record
from schemas.object_addresses import ObjectAddress
from schemas.options import ExportFormat, Lane
from schemas.settings import S3Settings
from tests.contract.transcriber.stage_jobs import (
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
from tests.support.waiting import eventually


def test_a_redelivered_record_publishes_its_event_again(settings: S3Settings) -> None:
    """The record that owns a job publishes the same event again, without hearing anything again."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    job = runtime.job(reference_record(uri(settings), idempotency_key="k"))
    first, second = stage.process(job), stage.process(job)
    assert [record.value for record in first[:1]] == [record.value for record in second[:1]]
    assert engine.calls == 1


def test_a_retried_record_is_known_by_where_it_was_first_read(settings: S3Settings) -> None:
    """Through a retry topic the owner stays the origin, so the event is published again."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    record = reference_record(uri(settings), idempotency_key="k", offset=5)
    stage.process(runtime.job(record))
    retried = Record("audio.references.retry.10s", 0, 99, None, record.value)
    assert len(transcripts(stage.process(runtime.job(retried, origin=record.coordinates, attempt=2)))) == 1


def test_another_reference_for_a_finished_job_is_told_where_the_result_is(settings: S3Settings) -> None:
    """The transcript is published once, by its owner; a request with the same key gets its address at once."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    (event,) = transcripts(
        stage.process(runtime.job(reference_record(uri(settings), idempotency_key="k", event_id="a", offset=1)))
    )
    second = reference_record(
        uri(settings), idempotency_key="k", event_id="b", offset=2, metadata={"call": "7"}, lane="interactive"
    )
    (outgoing,) = stage.process(runtime.job(second))
    told = decoded(outgoing, ProgressEvent)
    assert engine.calls == 1
    assert (told.phase, told.result_uri) == (Phase.COMPLETED, event.transcript_uri)
    assert told.correlation() == {
        "job_id": event.job_id,
        "idempotency_key": "k",
        "reference_event_id": "b",
        "tenant": "default",
        "lane": Lane.INTERACTIVE,
        "metadata": {"call": "7"},
        "webhook_url": None,
    }
    assert stage.process(runtime.job(second))[0].value, "and told again when it is redelivered"


def test_another_reference_that_wants_the_enrichment_has_a_transcript_of_its_own(settings: S3Settings) -> None:
    """What the first reference asked of the enricher ends with its cancellation; the second's does not."""
    stage = stage_on(settings, WavListener())
    request: dict[str, Any] = {"idempotency_key": "k", "enrich": {"profiles": ["title"]}}
    first, second = (
        stage.process(Runtime().job(reference_record(uri(settings), event_id=name, offset=offset, **request)))
        for offset, name in enumerate("ab")
    )
    (owned,), (again,) = transcripts(first), transcripts(second)
    assert (again.reference_event_id, again.enrich, again.shared) == ("b", owned.enrich, False)
    assert (again.job_id, again.transcript_uri) == (owned.job_id, owned.transcript_uri)
    assert again.event_id != owned.event_id
    assert decoded(second[1], ProgressEvent).result_uri == owned.transcript_uri


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"language": "ko"}},
        {"options": {"exports": ["srt"]}},
        {"enrich": {"profiles": ["summary"]}},
        {"tenant": "clinic"},
        {"uri": "other.wav"},
        {"etag": "overwritten"},
    ],
)
def test_a_key_that_is_used_again_for_something_else_fails_and_says_so(
    moto_store: ObjectStore, settings: S3Settings, other: dict[str, object]
) -> None:
    """Other audio, other options, another tenant: ``key_reused``, told with the second reference's correlation."""
    stage = stage_on(settings, WavListener())
    first = stage.process(Runtime().job(reference_record(uri(settings), idempotency_key="k", event_id="a")))
    (event,) = transcripts(first)
    moto_store.client.put_object(Bucket=settings.bucket, Key="other.wav", Body=wav_bytes(1))
    if "etag" in other:
        moto_store.client.put_object(Bucket=settings.bucket, Key="call.wav", Body=wav_bytes(1))
    asked: dict[str, Any] = {"idempotency_key": "k", "event_id": "b", **other}
    job = Runtime().job(reference_record(uri(settings, asked.pop("uri", "call.wav")), offset=1, **asked))
    with pytest.raises(KeyReused, match="the idempotency key k names job") as raised:
        stage.process(job)
    (outgoing,) = stage.failed(job, Failure(reason=raised.value.reason, message="", attempt=1))
    told = decoded(outgoing, ProgressEvent)
    assert (told.job_id, told.reference_event_id, told.phase) == (event.job_id, "b", Phase.FAILED)
    assert told.failure
    assert told.failure.reason is Reason.KEY_REUSED


def test_a_key_may_be_used_again_for_the_same_bytes_elsewhere(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """A client that uploads its file again with its request asks for the same; less than was done is no other."""
    stage = stage_on(settings, WavListener())
    request: dict[str, Any] = {
        "idempotency_key": "k",
        "options": {"exports": ["srt"]},
        "enrich": {"profiles": ["title"]},
    }
    stage.process(Runtime().job(reference_record(uri(settings), **request)))
    body = moto_store.client.get_object(Bucket=settings.bucket, Key="call.wav")["Body"].read()
    moto_store.client.put_object(Bucket=settings.bucket, Key="again.wav", Body=body)
    for offset, etag in ((1, None), (2, "another")):
        record = reference_record(uri(settings, "again.wav"), idempotency_key="k", offset=offset, etag=etag)
        (told,) = stage.process(Runtime().job(record))
        assert decoded(told, ProgressEvent).phase is Phase.COMPLETED


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
    assert engine.calls == 1
    assert (first.reused, second.reused) == (False, True)
    assert (first.transcript_uri, first.text) == (second.transcript_uri, second.text)
    assert list(second.exports) == [ExportFormat.VTT]
    assert (second.usage.decoded_tokens, second.timing.inference_seconds) == (0, None)
    stage.process(runtime.job(reference_record(uri(settings), offset=2, options={"language": "ko"})))
    assert engine.calls == 2, "other options are another result"


def test_every_reference_without_a_key_is_a_job_of_its_own(settings: S3Settings) -> None:
    """Two services that ask for one object each get their event; nothing is heard twice."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    events = [
        transcripts(stage.process(runtime.job(reference_record(uri(settings), event_id=name, offset=offset))))[0]
        for offset, name in enumerate(("a", "b"))
    ]
    assert [event.reused for event in events] == [False, True]
    assert [event.reference_event_id for event in events] == ["a", "b"]
    assert [event.job_id for event in events] == [job_id(reference_key(name)) for name in ("a", "b")]
    assert engine.calls == 1


def test_the_same_audio_of_two_jobs_at_once_is_heard_once(settings: S3Settings) -> None:
    """The second follows the first, whatever their identities, and has its own event once that one has ended."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    first, second = (
        Runtime().job(reference_record(uri(settings), event_id=name, offset=offset))
        for offset, name in enumerate("ab")
    )
    engine.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(stage.process, first)
        eventually(lambda: engine.running == 1, timeout_seconds=30)
        with pytest.raises(FollowsAnother) as told:
            stage.process(second)
        assert told.value.leader == first.origin
        engine.gate.set()
        events = [*transcripts(running.result(timeout=30)), *transcripts(stage.process(second))]
    assert [(event.reference_event_id, event.reused) for event in events] == [("a", False), ("b", True)]
    assert engine.calls == 1


def test_a_wish_for_other_files_is_a_job_of_its_own(settings: S3Settings) -> None:
    """Nothing is heard again, but what was not asked for before is written, told, and known when it fails."""
    runtime, engine = Runtime(), WavListener()
    stage = stage_on(settings, engine)
    stage.process(runtime.job(reference_record(uri(settings), etag="e", event_id="a")))
    enrich = {"instruction": "summarise"}
    request = {"etag": "e", "options": {"exports": ["srt"]}, "enrich": enrich, "event_id": "b"}
    job = runtime.job(reference_record(uri(settings), offset=1, **request))
    (event,) = transcripts(stage.process(job))
    assert engine.calls == 1
    assert list(event.exports) == [ExportFormat.SRT]
    failure = Failure(reason=Reason.INTERNAL_ERROR, message="for example", attempt=1)
    (told,) = stage.failed(job, failure)
    assert decoded(told, ProgressEvent).job_id == event.job_id


def test_a_writer_that_loses_the_job_changes_no_export_of_the_winner(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """The object is overwritten between two attempts at one job: the loser heard other words."""
    winner, loser = WavListener(), WavListener()
    loser.gate.clear()

    def asked(offset: int) -> Job:
        options = {"exports": ["text"]}
        return Runtime().job(reference_record(uri(settings), offset=offset, idempotency_key="k", options=options))

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(stage_on(settings, loser).process, asked(0))
        eventually(lambda: loser.running == 1, timeout_seconds=30)
        moto_store.client.put_object(Bucket=settings.bucket, Key="call.wav", Body=wav_bytes(1))
        (event,) = transcripts(stage_on(settings, winner).process(asked(1)))
        loser.gate.set()
        assert transcripts(slow.result(timeout=30)) == []
    address = ObjectAddress.parse(event.exports[ExportFormat.TEXT])
    body = moto_store.client.get_object(Bucket=address.bucket, Key=address.key)["Body"].read()
    assert body.decode().split() == ["second", "1."]


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
    assert engine.calls == 1
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
