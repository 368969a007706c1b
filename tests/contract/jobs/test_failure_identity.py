"""The identity in the FAILED event of a record that cannot be decoded, or that fails later."""

import pytest

from schemas.errors import (
    AudioUndecodable,
    InvalidOptions,
    Reason,
)
from schemas.events import Failure, ProgressEvent
from schemas.identity import job_id, reference_key
from schemas.kafka.records import Coordinates, Record
from schemas.settings import S3Settings
from tests.contract.transcriber.stage_jobs import (
    Runtime,
    decoded,
    notification,
    objects_record,
    stage_on,
)
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.object_store import ObjectStore


def test_a_record_that_cannot_be_read_is_identified_by_where_it_stands(settings: S3Settings) -> None:
    """Two of them share neither job nor event; a retry of one keeps what it has."""
    stage = stage_on(settings, WavListener())
    failure = Failure(reason=Reason.INVALID_EVENT, message="no", attempt=1)

    def told(topic: str, offset: int, value: bytes, origin: Coordinates | None = None) -> ProgressEvent:
        job = Runtime().job(Record(topic, 0, offset, None, value), origin=origin)
        return decoded(stage.failed(job, failure)[0], ProgressEvent)

    events = [
        told(topic, offset, value)
        for topic in ("audio.references", "audio.objects")
        for offset, value in enumerate((b"no JSON", b"{}", b'{"uri": 7}', b'{"uri": 7}'))
    ]
    assert len({event.job_id for event in events}) == len({event.event_id for event in events}) == len(events)
    assert events[0].reference_event_id == "audio.references[0]@0"
    again = told("audio.references.retry.10s", 99, b"no JSON", Coordinates("audio.references", 0, 0))
    assert (again.job_id, again.event_id) == (events[0].job_id, events[0].event_id)


def test_a_record_whose_options_are_wrong_keeps_its_identity(settings: S3Settings) -> None:
    """Without a key it is its event_id's, as it would have been with sound options."""
    stage = stage_on(settings, WavListener())
    value = (
        b'{"event_id": "a", "occurred_at": "2026-01-01T00:00:00Z", "uri": "s3://a/b", "tenant": "clinic", '
        b'"metadata": {"call": "7"}, "options": {"language": "xx"}}'
    )
    job = Runtime().job(Record("audio.references", 0, 0, None, value))
    with pytest.raises(InvalidOptions):
        stage.process(job)
    (outgoing,) = stage.failed(job, Failure(reason=Reason.INVALID_OPTIONS, message="no", attempt=1))
    told = decoded(outgoing, ProgressEvent)
    assert (told.job_id, told.reference_event_id) == (job_id(reference_key("a")), "a")
    assert (told.tenant, told.metadata) == ("clinic", {"call": "7"})


def test_a_failure_has_the_identity_that_its_jobs_other_events_have(
    moto_store: ObjectStore, settings: S3Settings
) -> None:
    """Also of a notification that tells no metadata: what was looked up before the failure counts."""
    runtime, engine = Runtime(), WavListener()
    engine.failure = AudioUndecodable("no")
    stage = stage_on(settings, engine)
    moto_store.client.put_object(
        Bucket=settings.bucket, Key="call.wav", Body=wav_bytes(1), Metadata={"language": "ko", "call": "7"}
    )
    value = notification(settings.bucket, "call.wav").replace(b"minio:s3", b"aws:s3")
    value = value.replace(b', "userMetadata": {}', b"")
    job = runtime.job(objects_record(value))
    with pytest.raises(AudioUndecodable):
        stage.process(job)
    (outgoing,) = stage.failed(job, Failure(reason=Reason.AUDIO_UNDECODABLE, message="no", attempt=1))
    told = decoded(outgoing, ProgressEvent)
    assert {event.job_id for event in runtime.progress} == {told.job_id}
    assert {event.reference_event_id for event in runtime.progress} == {told.reference_event_id}
    assert told.metadata == {"call": "7"}


def test_metadata_whose_options_are_wrong_still_says_whose_job_it_was(settings: S3Settings) -> None:
    """Tenant, key and what is echoed are told with the failure."""
    stage = stage_on(settings, WavListener())
    metadata = {"Language": "xx", "Tenant": "clinic", "Idempotency-Key": "k", "Lane": "fast", "Call": "7"}
    job = Runtime().job(objects_record(notification(settings.bucket, "call.wav", metadata=metadata)))
    with pytest.raises(InvalidOptions):
        stage.process(job)
    (outgoing,) = stage.failed(job, Failure(reason=Reason.INVALID_OPTIONS, message="no", attempt=1))
    told = decoded(outgoing, ProgressEvent)
    assert (told.job_id, told.tenant, told.metadata) == (job_id("k"), "clinic", {"call": "7"})
