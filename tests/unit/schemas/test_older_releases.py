"""What the first release wrote, byte by byte: an upgrade meets it on topics, in commits and in the bucket."""

from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.transcriber.events import has_other_requirements, is_same_object
from schemas.events import AudioReference, CancellationEvent, TranscriptEvent
from schemas.kafka import history
from schemas.kafka.lanes import lane_of
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.wire import decode
from schemas.options import Lane
from schemas.results import StoredEnrichment, StoredJob

ORIGIN = Coordinates("audio.references", 0, 7)
REFERENCE = (
    b'{"schema_version":"1.0","event_id":"r","occurred_at":"2026-11-22T09:00:00.123456+09:00","uri":"s3://b/k",'
    b'"idempotency_key":"k","options":{"language":"ko","task":"transcribe","word_timestamps":false,'
    b'"channels":"mix","beam_size":5,"vad":true,"exports":["srt"]},"enrich":{"profiles":["title"]},'
    b'"lane":"interactive","tenant":"default","metadata":{}}'
)
TRANSCRIPT = (
    b'{"schema_version":"1.0","event_id":"x","occurred_at":"2026-11-22T00:00:00Z","job_id":"j","tenant":"default",'
    b'"lane":"interactive","metadata":{"a":"b"},"idempotency_key":"k","status":"completed","source":{"uri":'
    b'"s3://b/k","sha256":"a","object_size_bytes":1},"source_changed":false,"reused":false,'
    b'"all_language_probs":[],"audio_duration_seconds":1.0,"speech_duration_seconds":1.0,"segment_count":0,'
    b'"flags":["low_confidence"],"transcript_uri":"s3://b/t","exports":{"srt":"s3://b/x"},"enrich":{"profiles":'
    b'["title"]},"provenance":{"engine":"e","engine_version":"1","model":"m","model_sha256":"s","compute_type":'
    b'"int8","device":"cpu","options_digest":"d","kascribe_version":"0"},"timing":{},"usage":{"audio_seconds":1.0,'
    b'"inference_seconds":1.0,"windows":1,"decoded_tokens":1}}'
)
OWNER = b'{"topic":"audio.references","partition":0,"offset":7}'


def test_a_record_that_waits_for_its_retry_goes_on() -> None:
    """With its attempt and origin; the header of the lane is ignored, for the value says the same."""
    headers = (
        ("kascribe-lane", b"interactive"),
        ("kascribe-attempt", b"2"),
        ("kascribe-origin-topic", b"audio.references"),
        ("kascribe-origin-partition", b"0"),
        ("kascribe-origin-offset", b"7"),
        ("kascribe-first-seen-ms", b"123"),
        ("kascribe-due-ms", b"5"),
    )
    record = Record("audio.references.retry.1m", 0, 3, b"j", REFERENCE, headers)
    assert decode(record, AudioReference).options.language == "ko"
    assert lane_of(record) is Lane.INTERACTIVE
    assert history.read(record) == history.History(2, ORIGIN, 123, due_ms=5)


def test_events_of_an_older_release_are_read() -> None:
    """A transcript without its reference's id is enriched; a cancellation names its job."""
    event = decode(Record("audio.transcripts", 0, 0, b"j", TRANSCRIPT), TranscriptEvent)
    assert (event.reference_event_id, event.shared, event.lane) == (None, False, Lane.INTERACTIVE)
    cancellation = b'{"event_id":"c","occurred_at":"2026-11-22T00:00:00Z","job_id":"j"}'
    assert decode(Record("audio.cancellations", 0, 0, None, cancellation), CancellationEvent).job_ids == ("j",)


def test_results_in_the_bucket_answer_references_of_today() -> None:
    """A job that does not say what was asked passes for the same, if the object is the same."""
    text = b'{"schema_version":"1.0","job_id":"j","owner":%b,"content_key":"c","event":%b}' % (OWNER, TRANSCRIPT)
    stored = StoredJob.model_validate_json(text)
    reference = decode(Record("audio.references", 0, 9, None, REFERENCE), AudioReference)
    assert stored.owner == ORIGIN
    assert not has_other_requirements(reference, stored)
    assert is_same_object(reference, stored)
    enrichment = StoredEnrichment.model_validate_json(
        b'{"job_id":"j","owner":%b,"enrich_digest":"d","event":{"event_id":"y","occurred_at":"2026-11-22T00:00:00Z",'
        b'"job_id":"j","transcript_uri":"s3://b/t","model":"m","results":[{"profile":"title","profile_version":"1",'
        b'"status":"invalid","coverage":1.0,"failure":{"reason":"enrichment_invalid","message":"x","attempt":1}}],'
        b'"results_uri":"s3://b/y","usage":{},"total_seconds":1.0}}' % OWNER
    )
    assert enrichment.event.results[0].failure


def test_a_commit_of_an_older_release_has_no_log_id() -> None:
    """Its gap map and journal are where they were."""
    assert CommitMetadata.read("gaps oabcd") == CommitMetadata("gaps", "oabcd", "")
    assert CommitMetadata.read("gaps") == CommitMetadata("gaps", "", "")
