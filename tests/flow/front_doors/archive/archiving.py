"""The archive's role at work on its own thread, beside the gateways of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from consumers.archive.bucket import ResultsBucket
from consumers.archive.database import ArchiveDatabase
from consumers.archive.loading import LOADED
from consumers.archive.stage import SKIPPED, ArchiveStage
from consumers.metrics import Metrics
from kascribe.wiring.archive import opened_for_writing
from schemas.clock import SystemClock
from schemas.kafka.topics import Topics
from schemas.settings import ArchiveSettings, Settings
from tests.flow.gateway import PARTITIONS
from tests.flow.running import running

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOPICS_READ: Final = 6


def with_archive(settings: Settings, directory: Path) -> Settings:
    """Return settings with an archive in a file, which is not there yet."""
    archive = ArchiveSettings(url=SecretStr(f"sqlite:///{directory}/archive.db"))
    return settings.model_copy(update={"archive": archive})


@contextmanager
def running_archive(settings: Settings, client: "S3Client") -> Iterator[None]:
    """Run the archive's stage while the context lasts; it has its partitions when the context begins."""
    metrics = Metrics(CollectorRegistry(), (SKIPPED, LOADED))
    with opened_for_writing(settings.archive) as engine:
        database = ArchiveDatabase(engine)
        database.prepare(now_ms=SystemClock().now_ms())
        bucket = ResultsBucket(settings.s3, client=client)
        stage = ArchiveStage(database, bucket, topics=Topics(), s3=settings.s3, metrics=metrics)
        with running(stage, settings) as started:
            started.wait_until_joined(partitions=TOPICS_READ * PARTITIONS)
            yield
