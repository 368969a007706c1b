"""The archive's stage on a database and a bucket, without Kafka: records in, rows to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select, text

from consumers.archive.bucket import ResultsBucket
from consumers.archive.database import ArchiveDatabase
from consumers.archive.loading import LOADED, BucketLoader
from consumers.archive.stage import SKIPPED, ArchiveStage
from consumers.metrics import Metrics
from consumers.runtime.ports import Job
from kascribe.wiring.archive import opened_archive, opened_for_writing
from producers.results import EnrichmentResults, ResultStore
from schemas.archive.search_terms import query_terms, tenant_term
from schemas.archive.tables import DELETIONS, ENRICHMENTS, JOBS, SEGMENTS
from schemas.clock import SystemClock
from schemas.events import Event
from schemas.identity import job_id
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.wire import trace_of
from schemas.settings import ArchiveSettings, S3Settings
from schemas.transcripts.transcript import Transcript
from tests.contract.archive.archive_events import record_of
from tests.support.object_store import ObjectStore

_MATCHES = {
    "sqlite": "SELECT rowid FROM search WHERE search MATCH :query ORDER BY rowid DESC",
    "postgresql": "SELECT job_number FROM search WHERE terms @@ CAST(:query AS tsquery) ORDER BY job_number DESC",
}


@dataclass
class ArchiveBench:
    """One archive. ``feed`` runs the stage as the runtime would."""

    engine: Engine
    reading: Engine
    database: ArchiveDatabase
    stage: ArchiveStage
    s3: S3Settings
    bucket: ResultsBucket
    results: ResultStore
    enrichments: EnrichmentResults
    metrics: Metrics

    def feed(self, *events: Event) -> None:
        """Process events in this order."""
        for event in events:
            self.feed_record(record_of(event))

    def feed_record(self, record: Record) -> None:
        """Process a record."""
        assert self.stage.process(_job(record)) == ()

    def put_body(self, name: str, transcript: Transcript) -> str:
        """Store a whole transcript and return its address."""
        return self.results.put_transcript(name, transcript)

    def job(self, key: str = "call") -> dict[str, Any] | None:
        """Return the row of a job as gateways see it."""
        with self.reading.connect() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.job_id == job_id(key))).mappings().one_or_none()
        return dict(row) if row is not None else None

    def jobs(self) -> list[dict[str, Any]]:
        """Return all rows, without the numbers."""
        return self._all(select(JOBS).order_by(JOBS.c.job_id), without=("number",))

    def segments(self) -> list[dict[str, Any]]:
        """Return all segments."""
        return self._all(select(SEGMENTS).order_by(SEGMENTS.c.job_number, SEGMENTS.c.position))

    def enrichment_rows(self) -> list[dict[str, Any]]:
        """Return all enrichments."""
        return self._all(select(ENRICHMENTS).order_by(ENRICHMENTS.c.enrichment_id, ENRICHMENTS.c.profile))

    def deletions(self) -> list[dict[str, Any]]:
        """Return all notes of deletions."""
        return self._all(select(DELETIONS).order_by(DELETIONS.c.job_id))

    def found(self, words: str, *, tenant: str = "team") -> list[str]:
        """Return the names of the recordings with these words, newest first. Phrases are not checked."""
        query = query_terms(words)
        term = tenant_term(tenant)
        is_sqlite = self.engine.dialect.name == "sqlite"
        asked = query.match_expression(term) if is_sqlite else query.tsquery(term)
        with self.reading.connect() as connection:
            numbers = connection.scalars(text(_MATCHES[self.engine.dialect.name]), {"query": asked}).all()
            names = {row.number: row.name for row in connection.execute(select(JOBS.c.number, JOBS.c.name))}
        return [names[number] for number in numbers]

    def skipped(self) -> float:
        """Return how many records were skipped."""
        samples = [sample for family in self.metrics.registry.collect() for sample in family.samples]
        return sum(sample.value for sample in samples if sample.name == SKIPPED.name)

    def load(self) -> None:
        """Fill the archive from the bucket."""
        BucketLoader(self.bucket, self.database, SystemClock(), self.metrics).load()

    def everything(self) -> tuple[Any, ...]:
        """Return all rows of all tables, to compare."""
        return (self.jobs(), self.segments(), self.enrichment_rows(), self.deletions())

    def _all(self, statement: Any, *, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        with self.reading.connect() as connection:
            found = connection.execute(statement).mappings().all()
        return [{name: value for name, value in row.items() if name not in without} for row in found]


@contextmanager
def opened_bench(
    settings: ArchiveSettings, store: ObjectStore, s3: S3Settings | None = None
) -> Iterator[ArchiveBench]:
    """Open an archive for writing and for reading, on a bucket of its own unless one is given."""
    s3 = s3 or store.settings()
    metrics = Metrics(CollectorRegistry(), (SKIPPED, LOADED))
    with opened_for_writing(settings) as engine, opened_archive(settings) as reading:
        database = ArchiveDatabase(engine)
        database.prepare(now_ms=0)
        bucket = ResultsBucket(s3, client=store.client)
        stage = ArchiveStage(database, bucket, topics=Topics(), s3=s3, metrics=metrics)
        yield ArchiveBench(
            engine,
            reading,
            database,
            stage,
            s3,
            bucket,
            ResultStore(s3, client=store.client),
            EnrichmentResults(s3, client=store.client),
            metrics,
        )


def _job(record: Record) -> Job:
    return Job(
        record=record,
        origin=record.coordinates,
        attempt=1,
        trace=trace_of(record),
        report=lambda _: None,
        weigh=lambda _: None,
        cancelled=lambda: False,
        is_final=lambda _: True,
    )
