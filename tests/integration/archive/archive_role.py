"""The archive's role as a child process on the real servers, and what it has written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from consumers.archive.bucket import ResultsBucket
from kascribe.wiring.archive import opened_archive
from producers.publisher import Publisher
from producers.results import EnrichmentResults, ResultStore
from schemas.archive.tables import DELETIONS, ENRICHMENTS, JOBS, SEARCH_POSTGRESQL, SEARCH_SQLITE, SEGMENTS
from schemas.events import Event
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.settings import ArchiveSettings, KafkaSettings, S3Settings
from tests.contract.archive.archive_events import record_of
from tests.demo.role import RoleProcess
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

TIMEOUT_SECONDS: Final = 180.0
_SETTINGS: Final = {
    # A static member that comes back is admitted at once; the broker misses a killed dynamic one for 6 s at least.
    "KASCRIBE_KAFKA_GROUP_PROTOCOL": "classic",
    "KASCRIBE_KAFKA_GROUP_INSTANCE_ID": "one",
    "KASCRIBE_KAFKA_SESSION_TIMEOUT_MS": "6000",
    "KASCRIBE_RUNTIME_COMMIT_INTERVAL_SECONDS": "0.1",
    "KASCRIBE_RUNTIME_WORKER_THREADS": "4",
    "KASCRIBE_LOG_FORMAT": "json",
}

Rows = dict[str, list[dict[str, Any]]]


class ArchiveRole:
    """``kascribe run archive`` with topics and a bucket of its own."""

    def __init__(self, stack: PrivateStack, url: str, directory: Path) -> None:
        self.settings = ArchiveSettings(url=SecretStr(url))
        prefix, bucket = stack.new_prefix(), stack.new_bucket()
        endpoint = stack.environment["KASCRIBE_S3_ENDPOINT_URL"]
        self.s3 = S3Settings(endpoint_url=endpoint, bucket=bucket)
        self.kafka = KafkaSettings(bootstrap_servers=stack.bootstrap_servers, topic_prefix=prefix)
        self.topics = Topics(prefix)
        self.results = ResultStore(self.s3, client=stack.s3)
        self.enrichments = EnrichmentResults(self.s3, client=stack.s3)
        self.bucket = ResultsBucket(self.s3, client=stack.s3)
        environment = {
            **stack.environment,
            **_SETTINGS,
            "KASCRIBE_KAFKA_TOPIC_PREFIX": prefix,
            "KASCRIBE_KAFKA_GROUP_ID_PREFIX": prefix,
            "KASCRIBE_KAFKA_TOPIC_PARTITIONS": "3",
            "KASCRIBE_S3_BUCKET": bucket,
            "KASCRIBE_ARCHIVE_URL": url,
        }
        self.process = RoleProcess("archive", environment, log=directory / "archive.log")

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events on their topics, in this order."""
        prefix = self.kafka.topic_prefix
        records = [
            OutgoingRecord(prefix + record.topic, str(at % 11).encode(), record.value, record.headers)
            for at, record in enumerate(map(record_of, events))
        ]
        with Publisher(self.kafka) as publisher:
            publisher.publish(records)

    def count(self) -> int:
        """Return how many jobs are stored; 0 before there is a schema."""
        try:
            with opened_archive(self.settings) as engine, engine.connect() as connection:
                return connection.scalar(select(func.count()).select_from(JOBS)) or 0
        except (OperationalError, ProgrammingError):
            return 0

    def wait_for(self, count: int) -> None:
        """Wait until so many jobs are stored."""
        eventually(
            lambda: self.count() >= count,
            timeout_seconds=TIMEOUT_SECONDS,
            interval_seconds=0.02,
            what=f"{count} jobs in the archive ({self.process.log})",
        )

    def rows(self) -> Rows:
        """Return everything that is stored; jobs by their id instead of their number."""
        return rows_of(self.settings)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the role while the context lasts."""
        with self.process:
            yield


def rows_of(settings: ArchiveSettings) -> Rows:
    """Return everything that an archive has, in an order that does not depend on the order of writing."""
    search = SEARCH_SQLITE if settings.is_sqlite else SEARCH_POSTGRESQL
    number = search.c[0]
    terms = search.c.terms if settings.is_sqlite else search.c.words
    with opened_archive(settings) as engine, engine.connect() as connection:
        names = {row.number: row.job_id for row in connection.execute(select(JOBS.c.number, JOBS.c.job_id))}
        tables = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in (JOBS, SEGMENTS, ENRICHMENTS, DELETIONS)
        }
        words = connection.execute(select(number, terms)).all()
    tables["search"] = [{"job_number": row[0], "words": row[1].split()} for row in words]
    for rows in tables.values():
        for row in rows:
            if "job_number" in row:
                row["job_number"] = names[row["job_number"]]
            row.pop("number", None)
        rows.sort(key=repr)
    return tables
