"""A notification that comes after the reconciler has requested its object, or before: one job, answered once."""

import json

import pytest

from producers.gateway.events.state import job_state
from producers.gateway.events.stored import StoredJobs
from producers.results import EnrichmentResults
from schemas.errors import PermanentError
from schemas.events import Phase
from schemas.kafka.records import Record
from tests.contract.reconciler.reconcile_bench import Bench
from tests.contract.transcriber.stage_jobs import Runtime, notification, objects_record, stage_on, transcripts
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.object_store import ObjectStore

LATE = "2026-12-01T00:00:00.123Z"


@pytest.fixture
def bench(moto_store: ObjectStore) -> Bench:
    """Return a bench at a bucket that keeps versions."""
    return Bench(moto_store, versioned=True)


def announced(bench: Bench, key: str, version: str, **metadata: str) -> Record:
    """Return the record of MinIO's notification, which was made at another time than the object."""
    told = json.loads(notification(bench.settings.bucket, key, metadata=metadata, time=LATE))
    told["Records"][0]["s3"]["object"]["versionId"] = version
    return objects_record(json.dumps(told).encode(), offset=7)


def requested(bench: Bench) -> Record:
    """Run the reconciler and return the record that it publishes."""
    bench.run()
    (record,) = bench.broker.records
    return Record(record.topic, 0, 3, record.key, record.value, record.headers)


@pytest.mark.parametrize("metadata", [{}, {"language": "klingon"}], ids=["undecodable", "refused options"])
@pytest.mark.parametrize("is_late", [True, False])
def test_a_bad_object_fails_once_whatever_announces_it(
    bench: Bench, metadata: dict[str, str], is_late: bool
) -> None:
    """The second announcement of a version ends silently, though its time is another."""
    version = bench.drop("bad.wav", b"not audio", **metadata)
    records = [requested(bench), announced(bench, "bad.wav", version, **metadata)]
    stage = stage_on(bench.settings, WavListener())
    first, second = records if is_late else reversed(records)
    with pytest.raises(PermanentError):
        stage.process(Runtime().job(first))
    assert stage.process(Runtime().job(second)) == ()


@pytest.mark.parametrize("is_late", [True, False])
def test_a_good_object_is_heard_once_and_has_one_transcript(bench: Bench, is_late: bool) -> None:
    """Also with an enrichment, for which another reference would get a transcript event of its own."""
    version = bench.drop("good.wav", wav_bytes(1), enrich="summary")
    records = [requested(bench), announced(bench, "good.wav", version, Enrich="summary")]
    engine = WavListener()
    stage = stage_on(bench.settings, engine)
    answers = [stage.process(Runtime().job(record)) for record in (records if is_late else reversed(records))]
    assert [len(transcripts(outgoing)) for outgoing in answers] == [1, 0]
    assert engine.calls == 1
    assert bench.counts() == {"known": 1}


def test_the_gateway_shows_a_requested_job_as_accepted(bench: Bench) -> None:
    """Before any transcriber has heard of it."""
    bench.drop("a.wav", tenant="acme", case="17")
    bench.run()
    (reference,) = bench.broker.references()
    job_id = str(reference.correlation()["job_id"])
    client = bench.store.client
    stored = StoredJobs(bench.results, EnrichmentResults(bench.settings, client=client))
    state = job_state(job_id, stored.known(job_id))
    assert state is not None
    assert (state.phase, state.tenant, state.metadata) == (Phase.ACCEPTED, "acme", {"case": "17"})
