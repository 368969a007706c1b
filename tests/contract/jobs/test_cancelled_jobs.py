"""Cancelled jobs: what both stages leave undone, and what they do nevertheless."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from consumers.cancellations import Cancellations
from consumers.runtime.ports import CancelledByCaller, FollowsAnother
from schemas.errors import JobCancelled
from schemas.events import CancellationEvent
from schemas.identity import job_id
from schemas.kafka.records import OutgoingRecord, Record
from schemas.options import EnrichOptions
from schemas.settings import S3Settings
from tests.contract.enricher.enrich_bench import Bench, BenchMaker
from tests.contract.enricher.enrich_jobs import TOPICS, WHEN, enrichment_in, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.transcriber.stage_jobs import Runtime, reference_record, stage_on, transcripts, uri
from tests.contract.vllm.vllm_faults import Fault
from tests.sound.wav_listener import WavListener
from tests.support.waiting import eventually

SUMMARY = EnrichOptions(profiles=("summary",))
JOB = job_id("call")


def cancel(cancellations: Cancellations, *references: str, at: datetime = WHEN) -> None:
    """Return what the gateway publishes once its clients are gone."""
    event = CancellationEvent(event_id="c", occurred_at=at, job_id=JOB, reference_event_ids=references)
    cancellations.add(Record(TOPICS.cancellations, 0, 0, JOB.encode(), event.model_dump_json().encode()))


@pytest.fixture
def patient(benches: BenchMaker) -> Bench:
    """Return an enricher that would wait for the language model longer than any test does."""
    return benches(timeout_seconds=300.0)


def asked(bench: Bench, reference: str | None, *, offset: int = 0) -> Record:
    """Return a transcript that a reference asked for."""
    when = WHEN if reference else None
    return transcript_record(
        bench.transcript(spoken(40)),
        offset=offset,
        enrich=SUMMARY,
        reference_event_id=reference,
        reference_occurred_at=when,
    )


def begin(threads: ThreadPoolExecutor, bench: Bench, record: Record) -> Future[Sequence[OutgoingRecord]]:
    """Return an attempt in a thread, once its question is with the language model."""
    running = threads.submit(bench.process, record)
    eventually(lambda: bench.double.in_flight == 1, timeout_seconds=30, what="the question")
    return running


def test_an_enrichment_cancelled_before_it_begins_costs_nothing(bench: Bench) -> None:
    """No request, no progress, no object: it completes without output."""
    record = asked(bench, "a")
    before = bench.store.keys(bench.settings.bucket)
    cancel(bench.cancellations, "a")
    with pytest.raises(CancelledByCaller):
        bench.process(record)
    assert bench.double.requests == []
    assert bench.runtime.reported == []
    assert bench.store.keys(bench.settings.bucket) == before


def test_an_enrichment_cancelled_while_it_runs_closes_its_request(patient: Bench) -> None:
    """The server sees the connection close; nothing is stored, and a later request starts a new job."""
    patient.double.always = Fault.HANG
    with ThreadPoolExecutor(1) as threads:
        running = begin(threads, patient, asked(patient, "a"))
        cancel(patient.cancellations, "a")
        with pytest.raises(CancelledByCaller):
            running.result(timeout=30)
    eventually(lambda: patient.double.disconnects == 1, timeout_seconds=30, what="the closed connection")
    patient.double.always = Fault.NONE
    assert enrichment_in(patient.process(asked(patient, "b", offset=1))).results


def test_what_another_reference_still_wants_goes_on(patient: Bench) -> None:
    """A second request for the same enrichment joins the first, and survives its cancellation."""
    patient.double.gate = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        running = begin(threads, patient, asked(patient, "a"))
        with pytest.raises(FollowsAnother):
            patient.process(asked(patient, "b", offset=1))
        cancel(patient.cancellations, "a")
        patient.double.gate.set()
        assert enrichment_in(running.result(timeout=30)).results
    assert len(patient.double.completion_requests) == 1


def test_what_all_have_cancelled_ends(patient: Bench) -> None:
    """Once the last reference is cancelled as well."""
    patient.double.always = Fault.HANG
    with ThreadPoolExecutor(1) as threads:
        running = begin(threads, patient, asked(patient, "a"))
        with pytest.raises(FollowsAnother):
            patient.process(asked(patient, "b", offset=1))
        cancel(patient.cancellations, "a")
        assert not running.done()
        cancel(patient.cancellations, "b")
        with pytest.raises(CancelledByCaller):
            running.result(timeout=30)


def test_an_enrichment_that_is_finished_is_published_although_it_was_cancelled(bench: Bench) -> None:
    """Its record alone may publish it, and others may have asked for it."""
    record = asked(bench, "a")
    first = enrichment_in(bench.process(record))
    cancel(bench.cancellations, "a")
    assert enrichment_in(bench.process(record)) == first


def test_a_transcript_that_names_no_reference_ends_with_all_of_its_job(bench: Bench) -> None:
    """Of an older release, or asked for by several: one reference's cancellation is not its own."""
    cancel(bench.cancellations, "a")
    assert bench.process(asked(bench, None))
    cancel(bench.cancellations, at=WHEN + timedelta(seconds=1))
    with pytest.raises(CancelledByCaller):
        bench.process(
            transcript_record(bench.transcript(spoken(9)), enrich=EnrichOptions(profiles=("title",)), offset=1)
        )


def test_a_cancelled_enrichment_whose_partition_is_gone_stays_with_the_next_holder(patient: Bench) -> None:
    """Cancelled, not complete: the record belongs to another process now."""
    patient.double.always = Fault.HANG
    with ThreadPoolExecutor(1) as threads:
        running = begin(threads, patient, asked(patient, "a"))
        patient.runtime.cancelled = True
        cancel(patient.cancellations, "a")
        with pytest.raises(JobCancelled):
            running.result(timeout=30)


def test_a_transcript_names_the_one_reference_that_asked_for_it(settings: S3Settings) -> None:
    """So that the enricher knows which reference's cancellation ends it."""
    when = datetime(2026, 11, 22, tzinfo=UTC)
    record = reference_record(uri(settings), idempotency_key="call", event_id="a", occurred_at=when)
    (event,) = transcripts(stage_on(settings, WavListener()).process(Runtime().job(record)))
    assert (event.reference_event_id, event.reference_occurred_at, event.shared) == ("a", when, False)


def test_a_job_that_two_references_asked_for_survives_one_of_them(settings: S3Settings) -> None:
    """Its transcript says that it is shared: the other wants its enrichment as well."""
    engine, cancellations = WavListener(), Cancellations()
    stage = stage_on(settings, engine, cancellations=cancellations)
    first, second = (
        reference_record(uri(settings), idempotency_key="call", event_id=name, offset=offset)
        for offset, name in enumerate("ab")
    )
    engine.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(stage.process, Runtime().job(first))
        eventually(lambda: engine.running == 1, timeout_seconds=30)
        with pytest.raises(FollowsAnother):
            stage.process(Runtime().job(second))
        cancel(cancellations, "a")
        engine.gate.set()
        (event,) = transcripts(running.result(timeout=30))
    assert (event.reference_event_id, event.shared) == ("a", True)
    assert engine.calls == 1


def test_a_shared_enrichment_survives_the_cancellation_of_the_reference_that_it_names(bench: Bench) -> None:
    """Another reference asked for the job as well; only the cancellation of the whole job ends it."""
    uri = bench.transcript(spoken(9))
    cancel(bench.cancellations, "a")

    def shared(offset: int, profile: str) -> Record:
        enrich = EnrichOptions(profiles=(profile,))
        return transcript_record(uri, offset=offset, enrich=enrich, reference_event_id="a", shared=True)

    assert enrichment_in(bench.process(shared(0, "summary"))).reference_event_id == "a"
    cancel(bench.cancellations, at=WHEN + timedelta(seconds=1))
    with pytest.raises(CancelledByCaller):
        bench.process(shared(1, "title"))


def test_a_record_whose_leader_is_cancelled_and_moves_away_is_answered(settings: S3Settings) -> None:
    """The first goes on for the second's sake, loses its partition, and ends cancelled wherever it went.

    The second, incomplete until then, does the work itself.
    """
    engine, cancellations = WavListener(), Cancellations()
    here, elsewhere = (stage_on(settings, engine, cancellations=cancellations) for _ in range(2))
    first, second = (
        reference_record(uri(settings), idempotency_key="call", event_id=name, offset=offset)
        for offset, name in enumerate("ab")
    )
    leading = Runtime()
    engine.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(here.process, leading.job(first))
        eventually(lambda: engine.running == 1, timeout_seconds=30)
        with pytest.raises(FollowsAnother):
            here.process(Runtime().job(second))
        cancel(cancellations, "a")
        assert not running.done()
        leading.cancelled = True
        with pytest.raises(JobCancelled):
            running.result(timeout=30)
    engine.gate.set()
    with pytest.raises(CancelledByCaller):
        elsewhere.process(Runtime().job(first))
    (event,) = transcripts(here.process(Runtime().job(second)))
    assert event.reference_event_id == "b"


def test_an_enrichment_whose_leader_is_cancelled_and_moves_away_is_made(patient: Bench) -> None:
    """The enricher's records follow each other as the transcriber's do."""
    patient.double.always = Fault.HANG
    first, second = asked(patient, "a"), asked(patient, "b", offset=1)
    leading = patient.runtime.job(first)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(patient.stage.process, leading)
        eventually(lambda: patient.double.in_flight == 1, timeout_seconds=30, what="the question")
        with pytest.raises(FollowsAnother):
            patient.stage.process(Runtime().job(second))
        cancel(patient.cancellations, "a")
        assert not running.done()
        patient.runtime.cancelled = True
        with pytest.raises(JobCancelled):
            running.result(timeout=30)
    patient.double.always = Fault.NONE
    with pytest.raises(CancelledByCaller):
        patient.stage.process(Runtime().job(first))
    assert enrichment_in(patient.stage.process(Runtime().job(second))).reference_event_id == "b"
