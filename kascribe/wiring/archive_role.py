"""The wiring of the archive's role: topics and bucket in, the database out."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from consumers.archive.bucket import ResultsBucket
from consumers.archive.database import ARCHIVE_DEPENDENCY, ArchiveDatabase
from consumers.archive.loading import LOADED, BucketLoader
from consumers.archive.stage import SKIPPED, ArchiveStage
from consumers.runtime.monitoring.membership import KAFKA
from kascribe.metering.process import observe_process
from kascribe.process.health import RoleHealth, served
from kascribe.process.shutdown import ended_by_signals
from kascribe.wiring.archive import file_of, opened_for_writing
from kascribe.wiring.consumer import run_stage
from schemas.clock import Clock, SystemClock
from schemas.errors import DESCRIPTORS, ConfigurationError
from schemas.kafka.topics import Topics
from schemas.object_addresses import S3
from schemas.roles import Role
from schemas.settings import ArchiveSettings, Settings
from schemas.settings.archive import ARCHIVE_URL

ARCHIVE_METRICS = (SKIPPED, LOADED)
LOCK_RETRY_SECONDS: Final = 0.2


def run_archive(settings: Settings) -> None:
    """Run the production role. Blocks until SIGTERM.

    Raises ConfigurationError when there is no database's address, or another process writes to the same file;
    DependencyDown when the database, or the bucket of a new archive, does not answer at the start.
    """
    clock = SystemClock()
    health = RoleHealth(why_not_ready="filling the archive from the bucket", declared=ARCHIVE_METRICS)
    observe_process(health.metrics, Role.ARCHIVE, services=(KAFKA, S3, ARCHIVE_DEPENDENCY, DESCRIPTORS))
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings.server),
        _only_writer(settings.archive, limit_seconds=settings.runtime.drain_timeout_seconds, clock=clock),
        opened_for_writing(settings.archive) as engine,
    ):
        database, bucket = ArchiveDatabase(engine), ResultsBucket(settings.s3)
        archive_id = database.prepare(now_ms=clock.now_ms())
        BucketLoader(bucket, database, clock, health.metrics).load()
        stage = ArchiveStage(
            database,
            bucket,
            topics=Topics(settings.kafka.topic_prefix),
            s3=settings.s3,
            metrics=health.metrics,
        )
        run_stage(stage, _in_own_group(settings, archive_id), health, shutdown)


def _in_own_group(settings: Settings, archive_id: str) -> Settings:
    """Return settings in which a new database is a new consumer group: it reads topics from their beginning."""
    kafka = settings.kafka
    group = kafka.model_copy(update={"group_id_prefix": f"{kafka.group_id_prefix}{archive_id}."})
    return settings.model_copy(update={"kafka": group})


@contextmanager
def _only_writer(settings: ArchiveSettings, *, limit_seconds: float, clock: Clock) -> Iterator[None]:
    """Hold the lock of a SQLite archive's role while the context lasts. The system releases it at any end.

    Blocks up to ``limit_seconds`` while another process holds it: a predecessor that is to end may drain so long.
    """
    database = file_of(settings)
    if database is None:
        yield
        return
    path = database.with_name(f"{database.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        deadline, pause = clock.monotonic() + limit_seconds, threading.Event()
        while not _is_locked(descriptor):
            if clock.monotonic() >= deadline:
                raise ConfigurationError(
                    f"another process writes to this archive ({path}): one at a time, or set {ARCHIVE_URL} to"
                    " PostgreSQL"
                )
            pause.wait(LOCK_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
