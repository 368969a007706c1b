"""What an embedded stack puts right after a start, on a real broker's protocol and its own object store."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from kascribe.embedded.object_store import EmbeddedObjectStore
from kascribe.embedded.recovery import Recovery
from producers.publisher import Publisher
from producers.results import ResultStore
from schemas.clock import SystemClock
from schemas.errors import Reason
from schemas.events import AudioReference, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.records import Coordinates
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from schemas.options import EnrichOptions
from schemas.results import AcceptedJob, FailedRequest, StoredJob
from schemas.settings import Settings
from tests.contract.enricher.enrich_jobs import transcript_record
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import settings_for
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore, credentials

BEFORE: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GONE: Final = Coordinates(topic="audio.references", partition=0, offset=0)
REFERENCES: Final = Topics().references


@dataclass
class Kept:
    """A bucket as an earlier run left it, and a broker without records."""

    store: ObjectStore
    settings: Settings
    broker: MockCluster
    results: ResultStore

    def accept(self, key: str, *, enrich: EnrichOptions | None = None) -> AcceptedJob:
        """Store an accepted job with its upload."""
        uri = self.upload(key)
        reference = AudioReference(
            event_id=f"event-{key}", occurred_at=BEFORE, uri=uri, idempotency_key=key, enrich=enrich
        )
        accepted = AcceptedJob(
            job_id=reference.correlation()["job_id"],
            tenant=reference.tenant,
            accepted_at=BEFORE,
            reference=reference,
            audio_sha256="0" * 64,
        )
        return self.results.claim_accepted(accepted)

    def upload(self, name: str) -> str:
        """Store a recording as an upload does; return its address."""
        key = f"{self.settings.s3.uploads_prefix}{name}/audio.wav"
        self.store.put(self.settings.s3, key, b"recording")
        return f"s3://{self.settings.s3.bucket}/{key}"

    def finish(self, accepted: AcceptedJob) -> None:
        """Store the job's result."""
        event = decode(transcript_record("s3://audio/t.json", job_id=accepted.job_id), TranscriptEvent)
        event = event.model_copy(update={"enrich": accepted.reference.enrich})
        stored = StoredJob(
            job_id=accepted.job_id, owner=GONE, content_key="c", event=event, reference=accepted.reference
        )
        self.results.create_job(stored)

    @property
    def uploads(self) -> list[str]:
        """The names of the recordings in the bucket."""
        prefix = self.settings.s3.uploads_prefix
        keys = self.store.keys(self.settings.s3.bucket)
        return [key.removeprefix(prefix).partition("/")[0] for key in keys if key.startswith(prefix)]

    def recover(self, *, is_enriching: bool = False) -> tuple[int, int]:
        """Run a recovery; return how many jobs it published and how many recordings it deleted."""
        recovery = Recovery.opened(self.settings, clock=SystemClock())
        before = recovery.look()
        with Publisher(self.settings.kafka) as publisher:
            done = recovery.run(before, publisher, is_enriching=is_enriching)
        return done.republished, done.deleted_uploads

    def references(self, count: int) -> list[AudioReference]:
        """Read the references that were published."""
        records = records_on(self.broker.bootstrap_servers, REFERENCES, count=count, partitions=4)
        return [decode(record, AudioReference) for record in records]


@pytest.fixture
def kept(broker: MockCluster, tmp_path: Path) -> Iterator[Kept]:
    """Return an empty bucket of an embedded store."""
    with EmbeddedObjectStore(tmp_path / "objects") as embedded, credentials(MOTO_CREDENTIALS):
        store = ObjectStore(embedded.endpoint_url)
        s3 = store.settings()
        settings = settings_for(broker.bootstrap_servers).model_copy(update={"s3": s3})
        yield Kept(store, settings, broker, ResultStore(s3, client=store.client))
        store.client.close()


def test_a_job_that_was_accepted_and_did_not_end_is_published_again(kept: Kept) -> None:
    """Under a new event id, as when a client repeats its request; finished and failed jobs are not."""
    lost, finished, failed = (kept.accept(key) for key in ("lost", "finished", "failed"))
    kept.finish(finished)
    kept.results.claim_failure(
        FailedRequest(
            job_id=failed.job_id,
            owner=GONE,
            request_digest="d",
            reason=Reason.AUDIO_UNDECODABLE,
            message="notes",
            failed_at=BEFORE,
        )
    )
    assert kept.recover() == (1, 0)
    (again,) = kept.references(1)
    assert again.idempotency_key == "lost"
    assert again.uri == lost.reference.uri
    assert again.event_id != lost.reference.event_id
    renewed = kept.results.find_accepted(lost.job_id)
    assert renewed is not None
    assert renewed.reference == again
    assert kept.uploads == ["failed", "finished", "lost"]


def test_an_enrichment_that_was_lost_is_asked_for_again_where_an_enricher_runs(kept: Kept) -> None:
    """The transcript is there, so only the enrichment is made."""
    kept.finish(kept.accept("enriched", enrich=EnrichOptions(profiles=("summary",))))
    assert kept.recover() == (0, 0)
    assert kept.recover(is_enriching=True) == (1, 0)
    assert [each.idempotency_key for each in kept.references(1)] == ["enriched"]


def test_a_recording_that_no_job_names_is_deleted(kept: Kept) -> None:
    """It was uploaded by a command whose job was lost or has failed; nobody could find it any more."""
    kept.upload("orphan")
    kept.finish(kept.accept("finished"))
    kept.store.put(kept.settings.s3, "music/mine.wav", b"x")
    assert kept.recover() == (0, 1)
    assert kept.uploads == ["finished"]
    assert "music/mine.wav" in kept.store.keys(kept.settings.s3.bucket)


def test_what_is_uploaded_after_the_start_stays(kept: Kept) -> None:
    """Its job may not be stored yet."""
    recovery = Recovery.opened(kept.settings, clock=SystemClock())
    before = recovery.look()
    kept.upload("new")
    with Publisher(kept.settings.kafka) as publisher:
        assert recovery.run(before, publisher, is_enriching=False).deleted_uploads == 0
    assert kept.uploads == ["new"]


def test_a_job_that_was_cancelled_is_not_begun_again(kept: Kept) -> None:
    """Its recording is freed as soon as the transcriber has stopped; one that was requested anew since stays."""
    recovery = Recovery.opened(kept.settings, clock=SystemClock())
    for key, at in (("cancelled", datetime.now(UTC)), ("anew", datetime(2025, 1, 1, tzinfo=UTC))):
        accepted = kept.accept(key)
        correlation = accepted.reference.correlation()
        recovery.on_progress(
            ProgressEvent(**correlation, event_id="p", occurred_at=at, phase=Phase.CANCELLED, stage="transcriber")
        )
    assert kept.uploads == ["anew"]
    assert kept.recover() == (1, 0)
