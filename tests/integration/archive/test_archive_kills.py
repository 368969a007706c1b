"""kill -9 of the archive's role in the middle of its writes, on real Kafka and MinIO, SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from consumers.archive import changes
from consumers.archive.database import ArchiveDatabase
from kascribe.wiring.archive import file_of, opened_for_writing
from schemas import identity
from schemas.errors import Reason
from schemas.events import AudioReference, EnrichmentEvent, Event, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.records import Coordinates
from schemas.options import EnrichOptions
from schemas.results import AcceptedJob, FailedRequest, StoredEnrichment, StoredJob
from schemas.settings import ArchiveSettings
from tests.contract.archive.archive_events import (
    at,
    body,
    deletion,
    enrichment_event,
    progress,
    reference,
    transcript_event,
)
from tests.integration.archive.archive_role import TIMEOUT_SECONDS, ArchiveRole, Rows, rows_of
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

JOBS: Final = 80
DELETED_EVERY: Final = 10
ENRICHED_EVERY: Final = 4
KILLS: Final = 2
SUMMARY: Final = EnrichOptions(profiles=("summary",))
OWNER: Final = Coordinates("audio.references", 0, 0)


def test_nothing_is_lost_or_doubled_when_the_role_is_killed(
    stack: PrivateStack, archive_url: str, tmp_path: Path
) -> None:
    """After two kills in mid-write the archive is what it is without any: every row of every table."""
    role = ArchiveRole(stack, archive_url, tmp_path)
    events = list(_events(role))
    role.process.start()
    role.process.wait_until_ready()
    role.publish(events)
    done = JOBS - JOBS // DELETED_EVERY
    killed_at = []
    for kill in range(1, KILLS + 1):
        role.wait_for(done * kill // (KILLS + 2))
        role.process.kill()
        killed_at.append(role.count())
        role.process.start()
    expected = _without_kills(role, events, tmp_path)
    try:
        _wait_for_equal_jobs(role, expected)
    finally:
        assert role.process.stop() == 0
    found = role.rows()
    del found["search"], expected["search"]  # of two databases, in other shapes
    assert found == expected
    assert killed_at[0] < done


def test_a_new_database_is_filled_from_the_bucket_however_often_it_is_killed(
    stack: PrivateStack, archive_url: str, tmp_path: Path
) -> None:
    """Jobs whose records are gone from the topics come from the bucket, and a kill continues where it stopped."""
    role = ArchiveRole(stack, archive_url, tmp_path)
    _store_results(role)
    for wanted in (1, JOBS // 2):
        role.process.start()
        role.wait_for(wanted)
        role.process.kill()
    role.process.start()
    role.process.wait_until_ready()
    assert role.process.stop() == 0
    jobs = role.rows()["jobs"]
    phases = [row["phase"] for row in jobs]
    assert len(jobs) == JOBS + 2
    assert (phases.count("completed"), phases.count("failed"), phases.count("accepted")) == (JOBS, 1, 1)
    assert len(role.rows()["search"]) == JOBS
    assert sum(row["enrichment_count"] for row in jobs) == JOBS // ENRICHED_EVERY


def test_a_deleted_database_is_built_again_from_topics_and_bucket(stack: PrivateStack, tmp_path: Path) -> None:
    """Another database is another consumer group: it reads every topic from the beginning."""
    role = ArchiveRole(stack, f"sqlite:///{tmp_path}/archive.db", tmp_path)
    events = [event for event in _events(role) if "-1" in event.event_id]
    expected = _without_kills(role, events, tmp_path)
    file = file_of(role.settings)
    assert file is not None
    for _again in range(2):
        role.process.start()
        role.process.wait_until_ready()
        if not _again:
            role.publish(events)
        _wait_for_equal_jobs(role, expected)
        assert role.process.stop() == 0
        for path in (file, *file.parent.glob("archive.db-*")):
            path.unlink(missing_ok=True)


def _wait_for_equal_jobs(role: ArchiveRole, expected: Rows) -> None:
    eventually(
        lambda: _jobs(role.rows()) == _jobs(expected),
        timeout_seconds=TIMEOUT_SECONDS,
        interval_seconds=0.5,
        what=f"all jobs ({role.process.log})",
    )


def _jobs(rows: Rows) -> list[tuple[object, ...]]:
    return [(row["job_id"], row["phase"], row["standing"]) for row in rows["jobs"]]


def _events(role: ArchiveRole) -> Iterator[Event]:
    """Yield the events of all jobs; their bodies are in the bucket."""
    for number in range(JOBS):
        key = f"call-{number}"
        uri = role.results.put_transcript(key, body(f"order {number} is late", "회의록을 보냅니다"))
        yield reference(key)
        yield progress(Phase.ACCEPTED, key, second=1)
        yield transcript_event(key, uri=uri)
        yield progress(Phase.COMPLETED, key, second=10.5)
        if number % ENRICHED_EVERY == 0:
            yield enrichment_event(SUMMARY, key)
        if number % DELETED_EVERY == 0:
            yield deletion(key)


def _without_kills(role: ArchiveRole, events: list[Event], directory: Path) -> Rows:
    """Return the rows of an archive to which the events were applied once, in order."""
    settings = ArchiveSettings(url=SecretStr(f"sqlite:///{directory}/expected.db"))
    with opened_for_writing(settings) as engine:
        database = ArchiveDatabase(engine)
        database.prepare(now_ms=0)
        database.apply([_change(role, event) for event in events])
    return rows_of(settings)


def _change(role: ArchiveRole, event: Event) -> changes.Change:
    match event:
        case AudioReference():
            return changes.requested(event)
        case ProgressEvent():
            return changes.stepped(event)
        case TranscriptEvent():
            return changes.transcribed(event, role.bucket.transcript(event.transcript_uri))
        case EnrichmentEvent():
            return changes.enriched(event)
        case DeletionEvent():
            return changes.deleted(event)
        case _:
            raise AssertionError(event)


def _store_results(role: ArchiveRole) -> None:
    """Store jobs as the roles do, without any event: finished, one failed, one accepted and one deleted."""
    for number in range(JOBS):
        key = f"call-{number}"
        uri = role.results.put_transcript(key, body(f"order {number} is late"))
        event = transcript_event(key, uri=uri)
        stored = StoredJob(
            job_id=event.job_id, owner=OWNER, content_key=key, event=event, reference=reference(key)
        )
        role.results.create_job(stored)
        if number % ENRICHED_EVERY == 0:
            enriched = enrichment_event(SUMMARY, key)
            digest = identity.enrich_digest(SUMMARY)
            role.enrichments.create_enrichment(
                StoredEnrichment(job_id=event.job_id, owner=OWNER, enrich_digest=digest, event=enriched)
            )
    waiting = reference("waiting")
    job_id = identity.job_id("waiting")
    role.results.claim_accepted(AcceptedJob(job_id=job_id, tenant="team", accepted_at=at(0), reference=waiting))
    role.results.claim_failure(
        FailedRequest(
            job_id=identity.job_id("failed"),
            owner=OWNER,
            request_digest="0",
            reason=Reason.AUDIO_EMPTY,
            message="no samples",
            failed_at=at(5),
            tenant="team",
        )
    )
