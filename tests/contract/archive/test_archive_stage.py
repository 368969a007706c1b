"""The archive's stage, on SQLite and on a real PostgreSQL."""

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_core import to_json

from kascribe.documents.event_examples import NOTIFICATION_EXAMPLE
from schemas.errors import DependencyDown, Reason
from schemas.events import Event, Phase
from schemas.identity import job_id
from schemas.kafka.records import Coordinates, Record
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment
from schemas.roles import Role
from schemas.settings import ArchiveSettings
from tests.contract.archive.archive_bench import ArchiveBench, opened_bench
from tests.contract.archive.archive_events import (
    TOPICS,
    at,
    body,
    deletion,
    enrichment_event,
    progress,
    record_of,
    reference,
    transcript_event,
)
from tests.support.object_store import ObjectStore
from tests.support.postgresql import PostgresqlServer

SUMMARY = EnrichOptions(profiles=("summary", "action_items"))


def story(archive: ArchiveBench) -> list[Event]:
    """Return the events of a job with an enrichment."""
    uri = archive.put_body("content", body("The quarterly report is late.", "회의록을 보냅니다."))
    return [
        reference(enrich=SUMMARY),
        progress(Phase.ACCEPTED, second=1),
        progress(Phase.TRANSCRIBING, second=2),
        transcript_event(uri=uri, enrich=SUMMARY),
        progress(Phase.COMPLETED, second=10.5),
        progress(Phase.ENRICHING, second=11, stage=Role.ENRICHER),
        enrichment_event(SUMMARY),
        progress(Phase.COMPLETED, second=20.5, stage=Role.ENRICHER),
    ]


def test_a_job_is_archived_with_its_text_and_enrichments(archive: ArchiveBench) -> None:
    """Everything that a list shows is in one row; segments have times; words are found by tenant."""
    archive.feed(*story(archive))
    row = archive.job()
    assert row is not None
    assert (row["tenant"], row["name"], row["metadata"]) == ("team", "call.wav", {"case": "7"})
    assert (row["phase"], row["stage"], row["status"]) == ("completed", "enricher", "completed")
    assert (row["language"], row["languages"], row["audio_duration_seconds"]) == ("en", ["en"], 9.0)
    assert (row["enrichment_count"], row["processing_seconds"], row["content_key"]) == (2, 1.5, "content")
    assert row["created_at_ms"] == at(0).timestamp() * 1_000
    assert row["finished_at_ms"] == at(20).timestamp() * 1_000
    assert row["text_preview"].startswith("The quarterly report is late. 회의록을")
    assert [each["text"] for each in archive.segments()] == ["The quarterly report is late.", "회의록을 보냅니다."]
    assert [each["output"] for each in archive.enrichment_rows()] == ["요약", "요약"]
    assert archive.found("의록") == archive.found("report late") == archive.found("call 7") == ["call.wav"]
    assert archive.found("report", tenant="other") == archive.found("missing") == []


def test_every_order_of_a_jobs_events_ends_the_same(archive: ArchiveBench) -> None:
    """Topics are read beside each other, so an older event may come last: it never overwrites a newer state."""
    events = story(archive)
    archive.feed(*events)
    expected = archive.everything()
    source = random.Random(7)
    for key in ("a", "b", "c"):
        ours = [event.model_copy(update={"job_id": job_id(key), "idempotency_key": key}) for event in events]
        source.shuffle(ours)
        archive.feed(*ours)
        source.shuffle(ours)
        archive.feed(*ours)
        row, first = archive.job(key), archive.job()
        assert row is not None
        assert first is not None
        differing = {name for name in row if row[name] != first[name]}
        assert differing == {"number", "job_id", "idempotency_key", "standing"}
    archive.feed(*events)
    assert [row for row in archive.jobs() if row["job_id"] == job_id("call")] == expected[0]


def test_a_redelivery_changes_nothing(archive: ArchiveBench) -> None:
    """Whatever is delivered twice is stored once, to the last column."""
    events = [*story(archive), reference("other"), deletion("gone")]
    archive.feed(*events)
    before = archive.everything()
    archive.feed(*events)
    assert archive.everything() == before


def test_a_final_phase_stays_until_the_job_is_requested_again(archive: ArchiveBench) -> None:
    """A late report of an ended attempt does not bring the job back to life; a newer request does."""
    archive.feed(
        reference(),
        progress(Phase.FAILED, second=5, reason=Reason.AUDIO_EMPTY),
        progress(Phase.TRANSCRIBING, second=6),
    )
    row = archive.job()
    assert row is not None
    assert (row["phase"], row["failure_reason"], row["failure_message"]) == ("failed", "audio_empty", "no samples")
    archive.feed(reference(second=60))
    row = archive.job()
    assert row is not None
    assert (row["phase"], row["failure_reason"]) == ("accepted", None)
    archive.feed(progress(Phase.FETCHING, second=61), progress(Phase.CANCELLED, second=62))
    row = archive.job()
    assert row is not None
    assert row["phase"] == "cancelled"


def test_another_tenants_reuse_of_a_key_changes_nothing_of_the_job(archive: ArchiveBench) -> None:
    """Whoever guesses a key neither takes the job over nor marks it as failed."""
    archive.feed(*story(archive))
    before = archive.job()
    archive.feed(
        reference(second=100, tenant="intruder", uri="s3://audio/x.wav"),
        progress(Phase.FAILED, second=101, reason=Reason.KEY_REUSED, tenant="intruder"),
    )
    after = archive.job()
    assert before is not None
    assert after is not None
    assert {name for name in after if after[name] != before[name]} <= {"standing"}


def test_a_deleted_job_is_gone_and_stays_gone(archive: ArchiveBench) -> None:
    """Nothing of it is left but the note, and records from before the deletion do not bring it back."""
    events = story(archive)
    archive.feed(*events, deletion())
    assert (archive.jobs(), archive.segments(), archive.enrichment_rows()) == ([], [], [])
    assert archive.found("report") == []
    assert [note["job_id"] for note in archive.deletions()] == [job_id("call")]
    archive.feed(*events)
    assert archive.jobs() == []
    archive.feed(progress(Phase.CANCELLED, second=31))
    assert archive.jobs() == []


def test_a_job_that_is_requested_after_its_deletion_is_a_new_one(archive: ArchiveBench) -> None:
    """Its old text and enrichments stay deleted, in whichever order the topics are read."""
    old = story(archive)
    new = [reference(second=40, metadata={"case": "8"}), progress(Phase.ACCEPTED, second=41)]
    orders = list(itertools.permutations([*old[:1], *old[3:4], deletion(), *new]))
    for events in random.Random(7).sample(orders, 12):
        archive.feed(*events)
        row = archive.job()
        assert row is not None
        assert (row["phase"], row["metadata"], row["text_preview"]) == ("accepted", {"case": "8"}, None)
        assert (archive.segments(), archive.found("report")) == ([], [])
        archive.feed(deletion(second=50))
        with archive.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM deletions")


def test_a_transcript_whose_body_is_gone_is_archived_from_its_event(archive: ArchiveBench) -> None:
    """Lifecycle rules delete old bodies: the text in the event is found, with the whole recording as its time."""
    archive.feed(transcript_event(text="a short call", uri=archive.results.transcript_uri("expired")))
    (segment,) = archive.segments()
    assert (segment["text"], segment["start_seconds"], segment["end_seconds"]) == ("a short call", 0.0, 9.0)
    assert archive.found("short") == ["call.wav"]
    assert archive.skipped() == 0


def test_a_body_outside_of_the_results_is_not_fetched(archive: ArchiveBench, moto_store: ObjectStore) -> None:
    """An event cannot make the archive read other objects of the bucket."""
    moto_store.put(archive.s3, "secret.json", body("secret words").model_dump_json().encode())
    archive.feed(transcript_event(uri=f"s3://{archive.s3.bucket}/secret.json"))
    assert archive.found("secret") == []


def test_outputs_that_were_too_large_for_the_event_come_from_the_bucket(archive: ArchiveBench) -> None:
    """The event of a large enrichment has no outputs; the archive reads the stored ones."""
    whole = enrichment_event(SUMMARY, bucket=archive.s3.bucket, output={"summary": "long"})
    small = whole.model_copy(
        update={"results": tuple(each.model_copy(update={"output": None}) for each in whole.results)}
    )
    digest = whole.results_uri.rsplit("/", 1)[-1].removesuffix(".json")
    archive.enrichments.create_enrichment(
        StoredEnrichment(
            job_id=whole.job_id, owner=Coordinates("t", 0, 0), enrich_digest=digest, event=whole, options=SUMMARY
        )
    )
    archive.feed(small)
    assert [row["output"] for row in archive.enrichment_rows()] == [{"summary": "long"}] * 2


def test_a_record_that_cannot_be_read_is_skipped_and_counted(archive: ArchiveBench) -> None:
    """It is no dead letter: on these topics that would mean that a job failed."""
    values = (None, b"", b"{", b'"text"', b'{"schema_version": "9.0"}')
    for topic, value in itertools.product(archive.stage.topics, values):
        archive.feed_record(Record(topic, 0, 0, None, value))
    assert archive.skipped() >= len(values) * (len(archive.stage.topics) - 1)
    assert archive.jobs() == []


def test_characters_that_no_database_stores_are_left_out(archive: ArchiveBench) -> None:
    """A NUL in a name, in metadata or in a text neither fails nor hides the recording."""
    uri = archive.put_body("content", body("so\x00und"))
    archive.feed(transcript_event(uri=uri, metadata={"a\x00": "b\x00"}))
    row = archive.job()
    assert row is not None
    assert row["metadata"] == {"a": "b"}
    assert [each["text"] for each in archive.segments()] == ["sound"]


def test_values_of_any_size_neither_stop_the_archive_nor_hide_others(archive: ArchiveBench) -> None:
    """A long name is cut. An id that no index of PostgreSQL takes is skipped there, and the next job is stored."""
    source = random.Random(7)
    noise = "".join(chr(source.randrange(0xAC00, 0xD7A4)) for _ in range(4_000))
    archive.feed(reference("long", uri=f"s3://audio/{noise}.wav"))
    archive.feed(progress(Phase.ACCEPTED, second=1).model_copy(update={"job_id": noise}))
    archive.feed(reference())
    names = {row["name"] for row in archive.jobs()}
    assert names >= {noise[:512], "call.wav"}
    assert archive.skipped() == (0 if archive.engine.dialect.name == "sqlite" else 1)


def test_a_dropped_object_is_listed_before_it_is_read(archive: ArchiveBench) -> None:
    """A notification with the object's metadata tells name, tenant and identity; ours of results are skipped."""
    record = Record(TOPICS.objects, 0, 0, None, to_json(NOTIFICATION_EXAMPLE["payload"]), timestamp_ms=1)
    archive.feed_record(record)
    archive.feed_record(replace(record, offset=1))
    (row,) = archive.jobs()
    assert (row["name"], row["phase"], row["tenant"]) == ("call.wav", "accepted", "default")


def test_a_server_that_is_down_keeps_the_record_back(
    postgresql: PostgresqlServer, moto_store: ObjectStore
) -> None:
    """Intake pauses until the database answers, and then the record is archived."""
    settings = ArchiveSettings(url=SecretStr(postgresql.new_database()))
    with opened_bench(settings, moto_store) as archive:
        postgresql.stop()
        try:
            with pytest.raises(DependencyDown) as down:
                archive.feed(reference())
            assert not archive.stage.dependency_is_up("archive")
        finally:
            postgresql.start()
        assert down.value.dependency == "archive"
        assert archive.stage.dependency_is_up("archive")
        archive.feed(reference())
        assert archive.job() is not None


def test_a_file_that_another_program_has_locked_keeps_the_record_back(
    tmp_path: Path, moto_store: ObjectStore
) -> None:
    """A backup that holds the file for long costs no record."""
    settings = ArchiveSettings(url=SecretStr(f"sqlite:///{tmp_path}/archive.db"), timeout_seconds=0.1)
    with opened_bench(settings, moto_store) as archive:
        with archive.engine.begin(), pytest.raises(DependencyDown):
            archive.feed(reference())
        archive.feed(reference())
        assert archive.job() is not None


def test_what_is_logged_has_no_words_of_the_transcript(
    archive: ArchiveBench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused values are described by the kind of error alone."""
    archive.feed_record(
        replace(record_of(transcript_event(text="confidential")), value=b'{"text": "confidential"}')
    )
    assert archive.skipped() == 1
    shown = capsys.readouterr()
    assert "confidential" not in shown.out + shown.err
