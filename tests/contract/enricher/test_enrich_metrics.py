"""What the work on a transcript tells the metrics: its wait, its stages, and the request that it answers."""

from dataclasses import replace
from datetime import timedelta

from schemas.kafka.records import Answered
from schemas.options import EnrichOptions, Lane
from tests.contract.enricher.enrich_bench import Bench
from tests.contract.enricher.enrich_jobs import TOPICS, WHEN, transcript_record
from tests.contract.enricher.transcripts import spoken

SUMMARY = EnrichOptions(profiles=("summary",))


def test_an_enrichment_is_timed_by_stage_and_once(bench: Bench) -> None:
    """A record that is read again finds the result: no stage runs, and none is timed."""
    record = replace(transcript_record(bench.transcript(spoken(40)), enrich=SUMMARY), timestamp_ms=1)
    bench.process(record)
    bench.process(record)
    value = bench.registry.get_sample_value
    for stage in ("load", "model", "store"):
        assert value("kascribe_enrichment_service_seconds_count", {"stage": stage}) == 1
        assert (value("kascribe_enrichment_service_seconds_sum", {"stage": stage}) or 0) > 0
    assert value("kascribe_enrichment_queue_seconds_count") == 1


def test_a_record_without_a_time_has_no_wait(bench: Bench) -> None:
    """Rather than one since the epoch."""
    bench.process(transcript_record(bench.transcript(spoken(40)), enrich=SUMMARY))
    assert bench.registry.get_sample_value("kascribe_enrichment_queue_seconds_count") == 0


def test_an_enrichment_answers_the_reference_of_its_transcript(bench: Bench) -> None:
    """Its latency counts from the reference, and only where the transcript names when that was made."""
    asked = WHEN - timedelta(minutes=5)
    uri = bench.transcript(spoken(40))
    record = transcript_record(uri, enrich=SUMMARY, reference_occurred_at=asked, lane=Lane.INTERACTIVE)
    enrichment, completed = bench.process(record)
    assert (enrichment.topic, enrichment.answers) == (TOPICS.enrichments, Answered(asked, Lane.INTERACTIVE))
    assert completed.answers is None
    (unknown, _) = bench.process(transcript_record(uri, key="other", offset=1, enrich=SUMMARY))
    assert unknown.answers is None
