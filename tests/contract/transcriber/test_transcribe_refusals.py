"""What the transcriber's stage refuses, why, and what it tells about it."""

import json
from dataclasses import replace

import pytest

from schemas import identity
from schemas.errors import (
    AudioEmpty,
    AudioNotFound,
    AudioTooLarge,
    AudioUndecodable,
    DependencyDown,
    InvalidEvent,
    InvalidOptions,
    Reason,
    SourceNotAllowed,
)
from schemas.events import Failure, Phase, ProgressEvent
from schemas.kafka.records import Record
from schemas.settings import S3Settings
from tests.contract.transcriber.stage_jobs import (
    TOPICS,
    Runtime,
    decoded,
    notification,
    objects_record,
    reference_record,
    stage_on,
    transcripts,
    uri,
)
from tests.sound.wav_listener import WavListener
from tests.support.object_store import ObjectStore


@pytest.mark.parametrize(
    ("key", "body", "error"),
    [
        ("missing.wav", None, AudioNotFound),
        ("empty.wav", b"", AudioEmpty),
        ("page.wav", b"<html>not audio</html>", AudioUndecodable),
        ("huge.wav", bytes(2_000), AudioTooLarge),
    ],
)
def test_bad_audio_gets_its_own_error(
    moto_store: ObjectStore, settings: S3Settings, key: str, body: bytes | None, error: type[Exception]
) -> None:
    """Missing, empty, undecodable and too large objects are told apart, and leave no result."""
    limited = settings.model_copy(update={"object_limit_bytes": 1_000})
    if body is not None:
        moto_store.client.put_object(Bucket=settings.bucket, Key=key, Body=body)
    with pytest.raises(error):
        stage_on(limited, WavListener()).process(Runtime().job(reference_record(uri(settings, key))))
    kept = [found for found in moto_store.keys(settings.bucket) if found.startswith("kascribe-results/")]
    assert all(found.startswith("kascribe-results/failures/") for found in kept)


def test_bad_records_get_their_own_error(settings: S3Settings) -> None:
    """What is no event, what asks for what cannot be, and what may not be read never reach the engine."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    cases: list[tuple[Record, type[Exception]]] = [
        (Record(TOPICS.references, 0, 0, None, b"\xff"), InvalidEvent),
        (objects_record(b'{"Records":[{}]}'), InvalidEvent),
        (reference_record(uri(settings), options={"task": "translate"}), InvalidOptions),
        (objects_record(notification(settings.bucket, "call.wav", metadata={"Language": "xx"})), InvalidOptions),
        (reference_record("s3://elsewhere/call.wav"), SourceNotAllowed),
        (reference_record("https://example.org/call.wav"), SourceNotAllowed),
        (reference_record("file:///etc/passwd"), SourceNotAllowed),
    ]
    for record, error in cases:
        with pytest.raises(error):
            stage.process(Runtime().job(record))
    assert engine.calls == 0


def test_a_cloudevent_in_structured_mode_is_refused_with_what_to_send_instead(settings: S3Settings) -> None:
    """On both input topics, whether its header says it or its value alone."""
    stage = stage_on(settings, WavListener())
    told = reference_record(uri(settings))
    wrapped = json.dumps(
        {"specversion": "1.0", "type": "t", "id": "1", "data": json.loads(told.value or b"")}
    ).encode()
    notified = json.dumps({"specversion": "1.0", "data": {"Records": []}}).encode()
    header = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
    for record in (
        Record(TOPICS.references, 0, 0, None, wrapped),
        Record(TOPICS.references, 0, 0, None, wrapped, header),
        objects_record(notified),
        replace(objects_record(notification(settings.bucket, "call.wav")), headers=header),
    ):
        with pytest.raises(InvalidEvent, match="only binary mode is read"):
            stage.process(Runtime().job(record))


def test_a_store_that_is_down_pauses_intake(settings: S3Settings) -> None:
    """Nothing listens at the endpoint: the dependency is down, and is seen to be down."""
    nowhere = settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9", "timeout_seconds": 0.5})
    stage = stage_on(nowhere, WavListener())
    with pytest.raises(DependencyDown) as raised:
        stage.process(Runtime().job(reference_record(uri(settings), idempotency_key="k")))
    assert raised.value.dependency == "s3"
    assert not stage.dependency_is_up("s3")
    assert stage_on(settings, WavListener()).dependency_is_up("s3")


def test_a_record_whose_features_found_no_room_waits_for_that_room(settings: S3Settings) -> None:
    """Intake resumes when there is as much as it needs, not when there is a little: it would only fail again."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    assert stage.dependency_is_up("scratch")
    engine.failure = DependencyDown("scratch", "no room", needed_bytes=10**18)
    with pytest.raises(DependencyDown):
        stage.process(Runtime().job(reference_record(uri(settings), idempotency_key="k")))
    assert not stage.dependency_is_up("scratch")


def test_records_wait_for_an_engine_that_is_broken(settings: S3Settings) -> None:
    """They run again when it is well, and not before."""
    engine = WavListener()
    stage = stage_on(settings, engine)
    assert stage.dependency_is_up("engine")
    engine.is_well = False
    assert not stage.dependency_is_up("engine")


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"tenant":"clinic","idempotency_key":"k","uri":7}',
        b'{"tenant":"clinic","idempotency_key":"k","options":{"language":"xx"},"metadata":{"a":1}}',
        b"[" * 10_000,
    ],
)
@pytest.mark.parametrize("topic", [TOPICS.references, TOPICS.objects])
def test_a_failure_is_told_whatever_the_record_holds(
    settings: S3Settings, topic: str, value: bytes | None
) -> None:
    """Subscribers get one FAILED event, with what of the job's identity can be read."""
    failure = Failure(reason=Reason.INVALID_EVENT, message="no", attempt=1)
    job = Runtime().job(Record(topic, 0, 7, None, value))
    (outgoing,) = stage_on(settings, WavListener()).failed(job, failure)
    event = decoded(outgoing, ProgressEvent)
    assert (event.phase, event.failure) == (Phase.FAILED, failure)
    if topic == TOPICS.references and value and value.startswith(b'{"tenant"'):
        assert (event.job_id, event.tenant) == (identity.job_id("k"), "clinic")


def test_a_failure_has_the_jobs_identity(settings: S3Settings) -> None:
    """The FAILED event of a readable record carries the id that its transcript event would have had."""
    stage = stage_on(settings, WavListener())
    failure = Failure(reason=Reason.AUDIO_UNDECODABLE, message="no", attempt=1)
    for record in (
        reference_record(uri(settings), idempotency_key="k"),
        objects_record(notification(settings.bucket, "call.wav", metadata={"Language": "ko"}), offset=1),
    ):
        (event,) = transcripts(stage.process(Runtime().job(record)))
        (outgoing,) = stage.failed(Runtime().job(record), failure)
        assert decoded(outgoing, ProgressEvent).job_id == event.job_id
