"""A demo that fails says how far each object came."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.errors import Reason
from schemas.events import Failure, JobEvent, Phase, ProgressEvent
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from tests.demo.trail import LOG_LINES, Trail, leftovers
from tests.support.notification_fixtures import fixture, only

TOPICS: Final = Topics()
KEY: Final = only("minio").key


def _announced(times: int) -> Trail:
    trail = Trail()
    for offset in range(times):
        trail.add(Record(TOPICS.objects, 0, offset, None, fixture("minio")), TOPICS)
    return trail


def _add(trail: Trail, event: JobEvent) -> None:
    sent = encode(event, topic=TOPICS.progress, key="key", trace=Trace.start())
    trail.add(Record(sent.topic, 0, 0, sent.key, sent.value, sent.headers), TOPICS)


def _progress(trail: Trail, phase: Phase, failure: Failure | None = None) -> ProgressEvent:
    return ProgressEvent(
        event_id="e",
        occurred_at=datetime.now(UTC),
        job_id=trail.jobs[KEY],
        phase=phase,
        stage="transcriber",
        failure=failure,
    )


def test_an_object_that_the_store_did_not_announce_is_told_from_one_that_the_transcriber_did_not_read() -> None:
    """The first link and the second."""
    assert _announced(0).last_seen(KEY) == f"{KEY}: never announced by the object store"
    assert (
        _announced(2).last_seen(KEY).endswith("announced 2 times, and the transcriber reported nothing about it")
    )


def test_the_last_report_of_the_transcriber_is_named_with_its_failure() -> None:
    """It belongs to the object through the job that both notification and report identify."""
    trail = _announced(1)
    _add(trail, _progress(trail, Phase.DECODING))
    assert trail.last_seen(KEY).endswith("last report: decoding")
    failure = Failure(reason=Reason.AUDIO_EMPTY, message="no sound", attempt=1)
    _add(trail, _progress(trail, Phase.FAILED, failure))
    assert trail.last_seen(KEY).endswith("last report: failed (audio_empty: no sound)")


def test_a_transcript_that_only_the_demo_missed_is_named() -> None:
    """The last link is the demo's own reader."""
    trail = _announced(1)
    trail.transcribed.add(KEY)
    assert trail.last_seen(KEY).endswith("its transcript is on the topic, and the demo did not read it")


def test_what_a_failed_demo_leaves_are_queued_notifications_and_the_ends_of_logs(tmp_path: Path) -> None:
    """They tell whether the object store gave its events away, and what each process said last."""
    queue = tmp_path / "stack" / "minio" / "queue" / "target"
    queue.mkdir(parents=True)
    (queue / "one.event").touch()
    written = "".join(f"line {number}\nConnection refused\n" for number in range(100))
    (tmp_path / "transcriber.log").write_text(written)
    first, log, *lines = leftovers(tmp_path)
    assert first == "notifications in MinIO's queue directory: 1"
    assert log == "--- the end of transcriber.log"
    assert lines == [f"line {number}" for number in range(100 - LOG_LINES, 100)]
