"""A consumer process with few file descriptors that fetches objects: ``python -m tests.flow.runtime.starved``.

Arguments: the brokers, the object store, its bucket, how many descriptors the process may have, and a scratch
directory. Every record's value is an object's address. SIGTERM drains.
"""

import resource
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.ports import Job
from consumers.runtime.runtime import Runtime
from consumers.transcriber.fetch import ObjectFetcher
from producers.outbox import AtLeastOnceOutbox
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord
from schemas.settings import S3Settings
from tests.flow.running import settings_for
from tests.flow.stages import OUTPUT, TOPIC

HELD_SECONDS: Final = 0.05
"""For each file, so that many are open at once."""


class FetchStage:
    """A stage that fetches the object that a record names, keeps it for a moment, and outputs its size."""

    name = "commands"
    topics = (TOPIC,)
    retried_topics = (TOPIC,)

    def __init__(self, fetcher: ObjectFetcher) -> None:
        self._fetcher = fetcher
        self._never = threading.Event()

    @property
    def services(self) -> tuple[str, ...]:
        """No services."""
        return ()

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Hold a connection, a directory and a file open at once."""
        state = self._fetcher.stat((job.record.value or b"").decode())
        with self._fetcher.fetch(state, cancelled=job.cancelled) as audio, audio.path.open("rb") as opened:
            self._never.wait(HELD_SECONDS)
            size = len(opened.read())
        attempt = (("attempt", str(job.attempt).encode()),)
        return (OutgoingRecord(OUTPUT, job.record.key, f"{state.address.key}: {size}".encode(), attempt),)

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Publish the failure to the output topic."""
        return (OutgoingRecord(OUTPUT, job.record.key, f"failed: {failure.reason}".encode()),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Probe the store or the disk."""
        return self._fetcher.is_up(dependency)


def main() -> None:
    """Run until SIGTERM."""
    servers, endpoint, bucket, descriptors, scratch = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), int(descriptors)))
    fetcher = ObjectFetcher(
        S3Settings(endpoint_url=endpoint, bucket=bucket), scratch_directory=Path(scratch), connections=40
    )
    settings = settings_for(servers, worker_threads=40, in_flight_records=64)
    outbox = AtLeastOnceOutbox(settings.kafka)
    metrics = Metrics(CollectorRegistry())
    runtime = Runtime(stage=FetchStage(fetcher), outbox=outbox, settings=settings, metrics=metrics)
    signal.signal(signal.SIGTERM, lambda *_: runtime.stop())
    runtime.run()
    outbox.close(timeout_seconds=5)
    fetcher.close()


if __name__ == "__main__":
    main()
