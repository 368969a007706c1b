"""A new archive is filled from the bucket, with jobs whose records are gone from the topics."""

import pytest
from sqlalchemy import text

from consumers.archive import loading
from schemas import identity
from schemas.errors import DependencyDown, Reason
from schemas.kafka.records import Coordinates
from schemas.options import EnrichOptions
from schemas.results import AcceptedJob, DeletedJob, FailedRequest, StoredEnrichment, StoredJob
from tests.contract.archive.archive_bench import ArchiveBench
from tests.contract.archive.archive_events import at, body, enrichment_event, reference, transcript_event
from tests.support.object_store import ObjectStore

OWNER = Coordinates("audio.references", 0, 0)
SUMMARY = EnrichOptions(profiles=("summary",))


def store_job(archive: ArchiveBench, key: str, text: str = "a stored call") -> StoredJob:
    """Store a finished job and its transcript, as the transcriber does."""
    event = transcript_event(key, uri=archive.put_body(key, body(text)), enrich=SUMMARY)
    stored = StoredJob(
        job_id=event.job_id, owner=OWNER, content_key=key, event=event, reference=reference(key, enrich=SUMMARY)
    )
    return archive.results.create_job(stored)


def store_others(archive: ArchiveBench) -> None:
    """Store a job that waits, one that failed, and the enrichment of a finished one."""
    archive.results.claim_accepted(
        AcceptedJob(
            job_id=identity.job_id("waiting"), tenant="team", accepted_at=at(1), reference=reference("waiting")
        )
    )
    archive.results.claim_failure(
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
    enriched = enrichment_event(SUMMARY, "call-0")
    archive.enrichments.create_enrichment(
        StoredEnrichment(
            job_id=enriched.job_id, owner=OWNER, enrich_digest=identity.enrich_digest(SUMMARY), event=enriched
        )
    )


def test_every_kind_of_result_is_loaded(archive: ArchiveBench) -> None:
    """Finished, failed and accepted jobs and enrichments are there without any record on a topic."""
    store_job(archive, "call-0")
    store_job(archive, "call-1")
    store_others(archive)
    archive.load()
    phases = {key: (archive.job(key) or {}).get("phase") for key in ("call-0", "call-1", "waiting", "failed")}
    assert phases == {"call-0": "completed", "call-1": "enriching", "waiting": "accepted", "failed": "failed"}
    failed, done = archive.job("failed"), archive.job("call-0")
    assert failed is not None
    assert done is not None
    assert (failed["failure_reason"], failed["tenant"]) == ("audio_empty", "team")
    assert (done["enrichment_count"], done["created_at_ms"]) == (1, at(0).timestamp() * 1_000)
    assert sorted(archive.found("stored")) == ["call-0.wav", "call-1.wav"]


def test_records_of_loaded_jobs_change_nothing(archive: ArchiveBench) -> None:
    """Topics and bucket tell the same, so the new consumer group reads everything again without effect."""
    stored = store_job(archive, "call-0")
    store_others(archive)
    archive.load()
    before = archive.everything()
    archive.feed(reference("call-0", enrich=SUMMARY), stored.event, enrichment_event(SUMMARY, "call-0"))
    assert archive.everything() == before


def test_a_deleted_job_does_not_come_back(archive: ArchiveBench, moto_store: ObjectStore) -> None:
    """The note of the deletion is loaded first, and what an interrupted deletion left is not shown."""
    store_job(archive, "call-0")
    note = DeletedJob(job_id=identity.job_id("call-0"), deleted_at=at(60))
    key = f"{archive.s3.results_prefix}deleted/{note.job_id}.json"
    moto_store.put(archive.s3, key, note.model_dump_json().encode())
    archive.load()
    assert archive.jobs() == []


def test_an_interrupted_load_continues(archive: ArchiveBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed is not read again, and nothing is left out."""
    monkeypatch.setattr(loading, "BATCH_OBJECTS", 2)
    for number in range(7):
        store_job(archive, f"call-{number}")
    store_others(archive)
    applied: list[dict[str, object]] = []
    apply = archive.database.apply

    def applied_until(*arguments: object, **named: object) -> None:
        if len(applied) == 3:
            raise DependencyDown("archive", "the process ends here")
        applied.append(named)
        apply(*arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(archive.database, "apply", applied_until)
        with pytest.raises(DependencyDown):
            archive.load()
    assert 0 < len(archive.jobs()) < 7
    with archive.engine.begin() as connection:
        loaded_until = connection.scalar(text("SELECT loaded_until FROM archive"))
        connection.execute(text("DELETE FROM jobs"))  # so that what is read again would be seen
        connection.execute(text("DELETE FROM search"))
    archive.load()
    assert loaded_until == applied[-1]["loaded_until"]
    assert len(archive.jobs()) == 7 - 6 + 2
    archive.load()
    assert len(archive.jobs()) == 3


def test_of_two_processes_on_one_server_one_loads(archive: ArchiveBench) -> None:
    """The other one begins with the topics at once. A file has one process anyway."""
    store_job(archive, "call-0")
    with archive.database.alone(loading._LOCK) as is_alone:
        assert is_alone
        archive.load()
        expected = 1 if archive.engine.dialect.name == "sqlite" else 0
        assert len(archive.jobs()) == expected
    archive.load()
    assert len(archive.jobs()) == 1


@pytest.mark.parametrize("folder", ["jobs", "accepted", "failures", "enrichments", "deleted"])
def test_a_damaged_object_is_left_out(archive: ArchiveBench, moto_store: ObjectStore, folder: str) -> None:
    """One object that cannot be read does not keep the archive from being filled."""
    store_job(archive, "call-0")
    moto_store.put(archive.s3, f"{archive.s3.results_prefix}{folder}/0.json", b"{")
    archive.load()
    assert len(archive.jobs()) == 1
