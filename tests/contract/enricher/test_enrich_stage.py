"""The enricher's stage on a real object store and a language model double."""

import json
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import (
    ConfigurationError,
    DependencyDown,
    EnrichmentFailed,
    EnrichmentInvalid,
    InvalidEvent,
    InvalidOptions,
    Reason,
    SourceNotAllowed,
)
from schemas.events import EnrichmentStatus, Failure, Phase, ProgressEvent
from schemas.kafka.records import Record
from schemas.options import EnrichOptions
from tests.contract.enricher.enrich_bench import Bench, BenchMaker
from tests.contract.enricher.enrich_jobs import TOPICS, enrichment_in, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.transcriber.stage_jobs import TRACE, decoded
from tests.contract.vllm.vllm_faults import Fault

SUMMARY = EnrichOptions(profiles=("summary",))
LONG_TEXT = " ".join(segment.text for segment in spoken(7_000))[:31_500]


def test_a_transcript_becomes_an_enrichment_event(bench: Bench) -> None:
    """Results, usage, the trace that came in, and the reliable COMPLETED; progress before it."""
    uri = bench.transcript(spoken(40))
    record = transcript_record(uri, enrich=EnrichOptions(profiles=("summary", "topics"), instruction="요약:"))
    outgoing = bench.process(record)
    event = enrichment_in(outgoing)
    assert [result.profile for result in event.results] == ["summary", "topics", "instruction"]
    assert {result.status for result in event.results} == {EnrichmentStatus.COMPLETED}
    assert (event.transcript_uri, event.language, event.model) == (uri, "en", "double")
    assert event.usage.requests == 3
    assert [item.key for item in outgoing] == [event.job_id.encode()] * 2
    traces = [value for item in outgoing for name, value in item.headers if name == "traceparent" and value]
    assert all(TRACE.trace_id.encode() in value for value in traces)
    ended = decoded(outgoing[1], ProgressEvent)
    assert (ended.phase, ended.stage, ended.fraction) == (Phase.COMPLETED, "enricher", 1.0)
    assert bench.runtime.progress[0].phase is Phase.ENRICHING


def test_a_redelivered_record_publishes_the_same_event_again_without_asking(bench: Bench) -> None:
    """A crash after the result was stored and before it was published costs no request and doubles no event."""
    record = transcript_record(bench.transcript(spoken(40)), enrich=SUMMARY)
    first, asked = enrichment_in(bench.process(record)), len(bench.double.completion_requests)
    assert enrichment_in(bench.process(record)) == first
    assert len(bench.double.completion_requests) == asked


def test_another_record_of_the_same_job_completes_silently(bench: Bench) -> None:
    """The transcriber may publish twice; only the first record's enrichment goes out."""
    uri = bench.transcript(spoken(40))
    assert bench.process(transcript_record(uri, enrich=SUMMARY))
    assert bench.process(transcript_record(uri, enrich=SUMMARY, offset=7)) == ()


def test_another_wish_for_the_same_job_is_another_result(bench: Bench) -> None:
    """Identity is the job and what is asked of it."""
    uri = bench.transcript(spoken(40))
    first = enrichment_in(bench.process(transcript_record(uri, enrich=SUMMARY)))
    other = EnrichOptions(profiles=("title",))
    second = enrichment_in(bench.process(transcript_record(uri, enrich=other, offset=7)))
    assert first.results_uri != second.results_uri
    assert first.event_id != second.event_id


def test_a_request_for_a_finished_transcript_is_answered_once_and_always(bench: Bench) -> None:
    """One event for a job and its options; each request learns where it is, even when another one owns it."""
    uri = bench.transcript(spoken(40))
    ordinary = transcript_record(uri, enrich=SUMMARY, reference_event_id="reference")
    bench.process(ordinary)
    options = EnrichOptions(profiles=("title",))
    first, second = (
        replace(
            transcript_record(uri, enrich=options, offset=n, reference_event_id=f"request-{n}"),
            topic=TOPICS.enrich_requests,
        )
        for n in (0, 1)
    )
    event = enrichment_in(bench.process(first))
    assert event.reference_event_id == "request-0"
    (told,) = (decoded(record, ProgressEvent) for record in bench.process(second))
    assert (told.phase, told.reference_event_id) == (Phase.COMPLETED, "request-1")
    assert told.result_uri == event.results_uri


def test_nothing_asked_is_nothing_done(bench: Bench) -> None:
    """No event, no request, no object."""
    assert bench.process(transcript_record("s3://anywhere/at-all")) == ()
    assert bench.double.requests == []
    assert bench.store.keys(bench.settings.bucket) == []


def test_settings_ask_where_the_event_does_not(benches: BenchMaker) -> None:
    """And an event that asks for nothing on purpose gets nothing."""
    bench = benches(profiles=("title",), instruction="Name the weather.", answer_language="Korean")
    uri = bench.transcript(spoken(40))
    event = enrichment_in(bench.process(transcript_record(uri)))
    assert [result.profile for result in event.results] == ["title", "instruction"]
    prompts = [request.prompt for request in bench.double.completion_requests]
    assert any("Name the weather. Answer in Korean." in prompt for prompt in prompts)
    assert event.language == "Korean"
    assert bench.process(transcript_record(uri, enrich=EnrichOptions(), offset=1)) == ()


def test_the_language_of_answers_from_settings_gives_way_to_the_one_that_is_asked(benches: BenchMaker) -> None:
    """Also where profiles are asked for and no language is."""
    bench = benches(answer_language="Korean")
    uri = bench.transcript(spoken(40))
    languages = []
    for offset, language in enumerate((None, "French")):
        options = EnrichOptions(profiles=("title",), language=language)
        event = enrichment_in(bench.process(transcript_record(uri, enrich=options, offset=offset)))
        languages.append(event.language)
        assert bench.double.completion_requests[-1].prompt.endswith(f"Answer in {event.language}.")
    assert languages == ["Korean", "French"]


def test_a_default_profile_that_does_not_exist_stops_the_start(benches: BenchMaker) -> None:
    """Named by its variable."""
    with pytest.raises(ConfigurationError, match="KASCRIBE_VLLM_PROFILES"):
        benches(profiles=("poetry",))


def test_silence_is_skipped(bench: Bench) -> None:
    """An event says so, and the model is not asked."""
    event = enrichment_in(bench.process(transcript_record(bench.transcript([]), enrich=SUMMARY)))
    assert [result.status for result in event.results] == [EnrichmentStatus.SKIPPED]
    assert bench.double.requests == []


def test_a_second_instruction_does_not_pay_for_the_notes_again(bench: Bench) -> None:
    """Notes on the parts of a long transcript are kept in the bucket, and so is what they were merged into."""
    bench.double.context_tokens = 512
    uri = bench.transcript(spoken(1_500))
    first = enrichment_in(bench.process(transcript_record(uri, enrich=EnrichOptions(instruction="One."))))
    assert {request.name for request in bench.double.completion_requests} == {"notes", "merge", "instruction"}
    second = enrichment_in(
        bench.process(transcript_record(uri, enrich=EnrichOptions(instruction="Two."), offset=1))
    )
    notes = [key for key in bench.store.keys(bench.settings.bucket) if "/notes/" in key]
    assert (first.usage.requests, second.usage.requests) == (len(notes) + 1, 1)
    assert len(notes) > 10
    assert second.results[0].coverage == 1.0
    assert any(progress.fraction for progress in bench.runtime.progress)


def test_a_job_that_fails_midway_resumes_from_its_notes(bench: Bench) -> None:
    """What was noted before the server failed is not asked for again."""
    bench.double.context_tokens = 512
    bench.double.faults = deque([Fault.NONE] * 12)
    bench.double.always = Fault.BUSY
    record = transcript_record(bench.transcript(spoken(600)), enrich=SUMMARY)
    with pytest.raises(DependencyDown):
        bench.process(record)
    kept = len([key for key in bench.store.keys(bench.settings.bucket) if "/notes/" in key])
    bench.double.always = Fault.NONE
    bench.double.requests.clear()
    event = enrichment_in(bench.process(record))
    notes = len([key for key in bench.store.keys(bench.settings.bucket) if "/notes/" in key])
    assert kept >= 1
    assert sum(request.name in ("notes", "merge") for request in bench.double.completion_requests) == notes - kept
    assert event.results[0].status is EnrichmentStatus.COMPLETED


def test_a_failed_attempt_that_another_one_follows_says_why(bench: Bench) -> None:
    """A waiting user sees the server's message until the next attempt; after the last one it stands in FAILED."""
    bench.double.always = Fault.GARBAGE
    record = transcript_record(bench.transcript(spoken(9)), enrich=SUMMARY)
    with pytest.raises(DependencyDown):
        bench.process(record)
    told = bench.runtime.progress[-1]
    assert (told.phase, told.stage) == (Phase.RETRYING, "enricher")
    assert told.failure is not None
    assert (told.failure.reason, told.failure.attempt) == (Reason.DEPENDENCY_DOWN, 1)
    assert "an answer that is not JSON" in told.failure.message
    bench.double.always = Fault.WRONG_SHAPE
    with pytest.raises(EnrichmentInvalid):
        bench.process(record)
    assert [event.phase for event in bench.runtime.progress].count(Phase.RETRYING) == 1


def test_results_that_are_large_travel_in_the_bucket(benches: BenchMaker, tmp_path: Path) -> None:
    """The event stays small and says where they are."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 32_000}}, "required": ["a"]}
    names = ("one", "two", "three")
    for name in names:
        lines = (f"name='{name}'", "version='1'", "task='Repeat it.'", "max_completion_tokens=32768")
        text = "\n".join((*lines, f"schema='{json.dumps(schema)}'"))
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    bench = benches(profiles_directory=tmp_path)
    bench.double.context_tokens, bench.double.text = 200_000, json.dumps({"a": LONG_TEXT})
    outgoing = bench.process(transcript_record(bench.transcript(spoken(40)), enrich=EnrichOptions(profiles=names)))
    event = enrichment_in(outgoing)
    assert [result.output for result in event.results] == [None, None, None]
    assert len(outgoing[0].value or b"") < 10_000
    key = event.results_uri.removeprefix(f"s3://{bench.settings.bucket}/")
    assert len(bench.store.client.get_object(Bucket=bench.settings.bucket, Key=key)["Body"].read()) > 90_000


def test_one_invalid_profile_does_not_cost_the_others(bench: Bench) -> None:
    """Its result says invalid; the event goes out with the rest."""
    bench.double.faults_by_name["summary"] = Fault.WRONG_SHAPE
    options = EnrichOptions(profiles=("summary", "title"))
    event = enrichment_in(bench.process(transcript_record(bench.transcript(spoken(9)), enrich=options)))
    invalid, completed = event.results
    assert (invalid.profile, invalid.status, invalid.output) == ("summary", EnrichmentStatus.INVALID, None)
    assert invalid.failure
    assert invalid.failure.reason is Reason.ENRICHMENT_INVALID
    assert (completed.profile, completed.status) == ("title", EnrichmentStatus.COMPLETED)


def test_nothing_valid_is_a_reason_and_leaves_nothing_behind(bench: Bench) -> None:
    """``enrichment_invalid``: no result is stored, the transcript is untouched."""
    bench.double.always = Fault.WRONG_SHAPE
    uri = bench.transcript(spoken(9))
    with pytest.raises(EnrichmentInvalid):
        bench.process(transcript_record(uri, enrich=SUMMARY))
    keys = [key for key in bench.store.keys(bench.settings.bucket) if "/failures/" not in key]
    assert keys == [uri.removeprefix(f"s3://{bench.settings.bucket}/")]


def test_what_cannot_be_read_has_its_own_reason(bench: Bench) -> None:
    """Not there yet, outside our results, not a transcript, not an event, an unknown profile."""
    prefix = f"s3://{bench.settings.bucket}/{bench.settings.results_prefix}"
    with pytest.raises(EnrichmentFailed):
        bench.process(transcript_record(f"{prefix}transcripts/absent.json", enrich=SUMMARY))
    with pytest.raises(SourceNotAllowed):
        bench.process(transcript_record("s3://other/secret.json", enrich=SUMMARY))
    key = f"{bench.settings.results_prefix}x"
    bench.store.client.put_object(Bucket=bench.settings.bucket, Key=key, Body=b"{}")
    with pytest.raises(InvalidEvent):
        bench.process(transcript_record(f"{prefix}x", enrich=SUMMARY))
    with pytest.raises(InvalidEvent):
        bench.process(Record(TOPICS.transcripts, 0, 0, None, b"not json"))
    with pytest.raises(InvalidOptions):
        bench.process(transcript_record(f"{prefix}x", enrich=EnrichOptions(profiles=("poetry",))))


def test_a_dead_letter_is_told_to_subscribers_whatever_the_record_holds(bench: Bench) -> None:
    """One FAILED event; of bytes that name no job with the record's coordinates for its identity."""
    failure = Failure(reason=Reason.ENRICHMENT_INVALID, message="no", attempt=3)
    job = bench.runtime.job(transcript_record("s3://a/b", enrich=SUMMARY))
    event = decoded(bench.stage.failed(job, failure)[0], ProgressEvent)
    assert (event.phase, event.stage, event.failure) == (Phase.FAILED, "enricher", failure)
    told = [
        decoded(
            bench.stage.failed(bench.runtime.job(Record("t", 0, offset, None, value)), failure)[0], ProgressEvent
        )
        for offset, value in enumerate((None, b"\xff", b'{"job_id": "j", "metadata": {"call": "7"}, "status": 1}'))
    ]
    assert [event.reference_event_id for event in told] == ["t[0]@0", "t[0]@1", "t[0]@2"]
    assert len({event.event_id for event in told}) == len({event.job_id for event in told}) == 3
    assert (told[2].job_id, told[2].metadata) == ("j", {"call": "7"})


def test_dependencies_are_asked_for_by_name(bench: Bench) -> None:
    """The bucket and the model server, each by itself."""
    assert bench.stage.dependency_is_up("s3")
    assert bench.stage.dependency_is_up("vllm")
    bench.double.always = Fault.ERROR
    assert not bench.stage.dependency_is_up("vllm")
    assert bench.stage.dependency_is_up("s3")
