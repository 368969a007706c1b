"""Every event about a job says which request it answers."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from consumers.cancellations import Cancellations
from consumers.runtime.ports import CancelledByCaller
from schemas.errors import AudioUndecodable, Reason
from schemas.events import EnrichmentEvent, Failure, JobEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.identity import job_id, reference_key
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.wire import decode
from schemas.options import Lane
from schemas.settings import S3Settings
from tests.contract.enricher.enrich_bench import Bench
from tests.contract.enricher.enrich_jobs import WHEN, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.jobs.test_cancelled_jobs import cancel
from tests.contract.transcriber.stage_jobs import TOPICS, Runtime, reference_record, stage_on, uri
from tests.sound.wav_listener import WavListener

FAILURE = Failure(reason=Reason.INTERNAL_ERROR, message="no", attempt=1)
KINDS: dict[str, type[JobEvent]] = {
    TOPICS.transcripts: TranscriptEvent,
    TOPICS.enrichments: EnrichmentEvent,
    TOPICS.progress: ProgressEvent,
}
WEBHOOK: Final = "https://receiver.example/calls"
ASKED: dict[str, Any] = {
    "event_id": "a",
    "tenant": "clinic",
    "lane": "interactive",
    "metadata": {"call": "7"},
    "webhook_url": WEBHOOK,
}


def events(records: list[OutgoingRecord]) -> Iterator[JobEvent]:
    """Return what a stage told, whatever it is."""
    for sent in records:
        yield decode(Record(sent.topic, 0, 0, sent.key, sent.value, sent.headers), KINDS[sent.topic])


def correlation(key: str) -> dict[str, object]:
    """Return what all of them carry."""
    return {
        "job_id": job_id(key),
        "idempotency_key": key,
        "reference_event_id": "a",
        "tenant": "clinic",
        "lane": Lane.INTERACTIVE,
        "metadata": {"call": "7"},
        "webhook_url": WEBHOOK,
    }


@pytest.mark.parametrize(("given", "key"), [("call", "call"), (None, reference_key("a"))])
def test_every_event_of_the_transcriber_names_the_request(
    settings: S3Settings, given: str | None, key: str
) -> None:
    """Progress, the transcript, COMPLETED and FAILED; with a derived key where the caller gave none."""
    runtime = Runtime()
    stage = stage_on(settings, WavListener())
    job = runtime.job(reference_record(uri(settings), idempotency_key=given, **ASKED))
    told = [*stage.process(job), *stage.failed(job, FAILURE), *runtime.reported]
    assert [event.correlation() for event in events(told)] == [correlation(key)] * len(told)
    assert {event.phase for event in events(told) if isinstance(event, ProgressEvent)} == {
        Phase.ACCEPTED,
        Phase.FETCHING,
        Phase.DECODING,
        Phase.TRANSCRIBING,
        Phase.COMPLETED,
        Phase.FAILED,
    }


def test_a_cancelled_job_says_so_with_its_correlation(settings: S3Settings) -> None:
    """CANCELLED is the last event of a cancelled reference."""
    cancellations = Cancellations()
    cancel(cancellations, "a")
    stage = stage_on(settings, WavListener(), cancellations=cancellations)
    with pytest.raises(CancelledByCaller) as ended:
        stage.process(Runtime().job(reference_record(uri(settings), idempotency_key="call", **ASKED)))
    (event,) = events(list(ended.value.outputs))
    assert isinstance(event, ProgressEvent)
    assert (event.phase, event.stage, event.correlation()) == (Phase.CANCELLED, "transcriber", correlation("call"))


def test_every_event_of_the_enricher_names_the_request(bench: Bench) -> None:
    """As the transcript that it reads does: progress, the enrichment, and each of the three ends."""
    asked = {name: value for name, value in ASKED.items() if name != "event_id"}
    record = transcript_record(
        bench.transcript(spoken(40)),
        enrich={"profiles": ["summary"]},
        reference_event_id="a",
        reference_occurred_at=WHEN,
        **asked,
    )
    job = bench.runtime.job(record)
    told = [*bench.stage.process(job), *bench.stage.failed(job, FAILURE), *bench.runtime.reported]
    cancel(bench.cancellations, "a")
    with pytest.raises(CancelledByCaller) as ended:
        bench.process(
            transcript_record(
                "s3://a/b", enrich={"profiles": ["title"]}, reference_event_id="a", offset=1, **asked
            )
        )
    told += ended.value.outputs
    assert [event.correlation() for event in events(told)] == [correlation("call")] * len(told)
    phases = {event.phase for event in events(told) if isinstance(event, ProgressEvent)}
    assert phases == {Phase.ENRICHING, Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED}


def test_an_enrichment_of_another_reference_is_told_where_it_is(bench: Bench) -> None:
    """A copy of the same transcript completes silently; another reference's has the address."""
    uri = bench.transcript(spoken(9))

    def ask(offset: int, reference: str) -> list[JobEvent]:
        record = transcript_record(
            uri, enrich={"profiles": ["title"]}, reference_event_id=reference, offset=offset
        )
        return list(events(list(bench.process(record))))

    made, _ = ask(0, "a")
    assert isinstance(made, EnrichmentEvent)
    assert ask(1, "a") == []
    (told,) = ask(2, "b")
    assert isinstance(told, ProgressEvent)
    assert (told.phase, told.stage, told.reference_event_id) == (Phase.COMPLETED, "enricher", "b")
    assert told.result_uri == made.results_uri


def test_two_references_of_one_job_have_last_events_of_their_own(settings: S3Settings) -> None:
    """A reader that drops what it has seen before drops neither; a redelivery repeats the id."""
    engine = WavListener()
    engine.failure = AudioUndecodable("no")
    stage = stage_on(settings, engine)
    jobs = [
        Runtime().job(reference_record(uri(settings), idempotency_key="k", event_id=name, offset=offset))
        for offset, name in enumerate(("a", "b", "a"))
    ]
    ids = [next(events(list(stage.failed(job, FAILURE)))).event_id for job in jobs]
    assert ids[0] == ids[2] != ids[1]
