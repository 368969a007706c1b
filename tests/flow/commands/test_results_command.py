"""``kascribe results republish`` as a person types it: a job whose record is gone has its events after all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from kascribe.commands.records.results import app
from producers.results import EnrichmentResults, ResultStore
from schemas.errors import ConfigurationError
from schemas.events import EnrichmentEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.records import Coordinates
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from schemas.results import StoredEnrichment, StoredJob
from schemas.transcripts.transcript import TokenUsage
from tests.contract.enricher.enrich_jobs import WHEN, transcript_record
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.object_store import ObjectStore, running_object_store

TOPICS: Final = Topics()
GONE: Final = Coordinates(topic="audio.references", partition=0, offset=0)


@dataclass
class Kept:
    """A finished job in a bucket, and the broker that the command's environment names."""

    event: TranscriptEvent
    enrichments: EnrichmentResults
    broker: MockCluster


@pytest.fixture(scope="module")
def moto_store() -> Iterator[ObjectStore]:
    """Run an S3 server in this process."""
    with running_object_store() as store:
        yield store


@pytest.fixture
def kept(broker: MockCluster, moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kept:
    """Leave what a process leaves that was killed between the claim and the publication."""
    settings = moto_store.settings()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", moto_store.endpoint_url)
    monkeypatch.setenv("KASCRIBE_S3_BUCKET", settings.bucket)
    for topic in (TOPICS.transcripts, TOPICS.enrichments, TOPICS.progress):
        broker.create_topic(topic)
    record = transcript_record("s3://audio/t.json", reference_event_id="a", metadata={"call": "7"})
    event = decode(record, TranscriptEvent)
    results = ResultStore(settings, client=moto_store.client)
    results.create_job(StoredJob(job_id=event.job_id, owner=GONE, content_key="c", event=event))
    return Kept(event, EnrichmentResults(settings, client=moto_store.client), broker)


def enrichment(event: TranscriptEvent, digest: str) -> StoredEnrichment:
    """Build the enrichment of the job's transcript."""
    enriched = EnrichmentEvent(
        **event.correlation(),
        event_id=f"{event.job_id}.{digest}.enrichment",
        occurred_at=WHEN,
        transcript_uri=event.transcript_uri,
        model="m",
        results=(),
        results_uri=f"s3://audio/{digest}.json",
        usage=TokenUsage(),
        total_seconds=1.0,
    )
    return StoredEnrichment(job_id=event.job_id, owner=GONE, enrich_digest=digest, event=enriched)


def test_a_finished_job_is_published_again(kept: Kept) -> None:
    """The transcript with its old id, every enrichment, and COMPLETED with the caller's correlation."""
    stored = [enrichment(kept.event, digest) for digest in ("d1", "d2")]
    for each in stored:
        kept.enrichments.create_enrichment(each)
    result = CliRunner().invoke(app, ["republish", kept.event.job_id])
    assert (result.exit_code, result.stdout) == (0, f"{kept.event.job_id}: 6 events published again\n")
    servers = kept.broker.bootstrap_servers
    (transcript,) = records_on(servers, TOPICS.transcripts, count=1)
    assert decode(transcript, TranscriptEvent) == kept.event
    assert transcript.key == kept.event.job_id.encode()
    enriched = [decode(record, EnrichmentEvent) for record in records_on(servers, TOPICS.enrichments, count=2)]
    assert enriched == [each.event for each in stored]
    progress = [decode(record, ProgressEvent) for record in records_on(servers, TOPICS.progress, count=3)]
    assert {event.phase for event in progress} == {Phase.COMPLETED}
    assert [event.stage for event in progress] == ["transcriber", "enricher", "enricher"]
    assert {event.reference_event_id for event in progress} == {"a"}
    addresses = ["s3://audio/t.json", "s3://audio/d1.json", "s3://audio/d2.json"]
    assert [event.result_uri for event in progress] == addresses


def test_a_job_that_did_not_finish_changes_nothing(kept: Kept) -> None:
    """Nothing is published of the jobs beside it either: a misspelt id is found out first."""
    result = CliRunner().invoke(app, ["republish", kept.event.job_id, "misspelt"])
    assert isinstance(result.exception, ConfigurationError)
    assert "no finished job misspelt" in str(result.exception)
    assert records_on(kept.broker.bootstrap_servers, TOPICS.transcripts, count=0) == []
