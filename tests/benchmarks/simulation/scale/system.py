"""A broker and a bucket with references to transcribe, and transcribers with timed devices beside them."""

import itertools
import os
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from consumers.kafka.follower import Follower, Start
from deploy.stack import Stack, Topic
from producers.publisher import Publisher
from producers.topics import ensure_topics
from schemas.events import AudioReference, TranscriptEvent
from schemas.identity import job_id
from schemas.kafka.partitions import partition_of
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import decode, encode
from schemas.settings import KafkaSettings
from tests.demo.role import RoleProcess
from tests.support.waiting import eventually

PARTITIONS: Final = 12
HELD: Final = "kascribe_partitions_assigned"
SHARES_SECONDS: Final = 120.0
EVEN: Final = 0.7
"""The process with fewest partitions has this share of the one with most."""

TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Done:
    """A transcript event: by which process, from which partition of references, and when it was published."""

    job: str
    worker: str
    partition: int
    at: float


class TimedTranscriber(RoleProcess):
    """A process of ``worker.py``."""

    def __init__(self, name: str, environment: dict[str, str], *, seconds: float, directory: Path) -> None:
        super().__init__("transcriber", environment, log=directory / f"{name}.log")
        module = "tests.benchmarks.simulation.scale.worker"
        self.name = name
        self._command = [sys.executable, "-m", module, name, str(seconds), str(directory / "runs")]

    def partitions(self) -> int:
        """Return how many partitions the process holds, of all topics that it reads."""
        url = f"http://127.0.0.1:{self.health_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return int(float(next(line.split()[1] for line in lines if line.startswith(f"{HELD} "))))

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass
class Bench:
    """One run's topics, bucket and processes. ``seconds`` is the device's time for a job."""

    stack: Stack
    directory: Path
    seconds: float
    prefix: str = field(default_factory=lambda: f"s{uuid.uuid4().hex[:8]}.")
    published: dict[str, int] = field(default_factory=dict)
    """Jobs with the partition of their reference."""
    done: list[Done] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _resources: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.topics = Topics(self.prefix)
        self.bucket = self.prefix.rstrip(".")
        self.directory.mkdir()
        self.kafka = KafkaSettings(bootstrap_servers=self.stack.bootstrap_servers, topic_prefix=self.prefix)
        self.stack.create_topics([Topic(name, PARTITIONS) for name in self.topics.all])
        ensure_topics(self.kafka, dict.fromkeys(self.topics.all, PARTITIONS))
        self.stack.create_bucket(self.bucket)
        self._s3 = self.stack.s3()
        self._resources.callback(self._s3.close)
        self._publisher = self._resources.enter_context(Publisher(self.kafka))
        self._follower = self._resources.enter_context(
            Follower(self.kafka, (self.topics.transcripts,), start=Start.BEGINNING)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def start(self, name: str) -> TimedTranscriber:
        """Start a process; it ends with the bench at the latest. Does not wait until it is ready."""
        environment = {
            **self.stack.environment,
            "KASCRIBE_KAFKA_TOPIC_PREFIX": self.prefix,
            "KASCRIBE_KAFKA_GROUP_ID_PREFIX": self.prefix,
            "KASCRIBE_S3_BUCKET": self.bucket,
            "KASCRIBE_LOG_FORMAT": "json",
        }
        worker = TimedTranscriber(name, environment, seconds=self.seconds, directory=self.directory)
        return self._resources.enter_context(worker)

    @contextmanager
    def running(self, count: int) -> Iterator[list[TimedTranscriber]]:
        """Run so many processes, ready before the context begins."""
        workers = [self.start(f"w{number + 1}") for number in range(count)]
        for worker in workers:
            worker.wait_until_ready()
        yield workers

    def await_shares(self, workers: Sequence[TimedTranscriber]) -> float:
        """Wait until every process holds partitions, about as many as the others; return the seconds since now."""
        began_at = time.monotonic()
        eventually(
            lambda: _are_even([worker.partitions() for worker in workers]),
            timeout_seconds=SHARES_SECONDS,
            interval_seconds=0.2,
            what="partitions of every process",
        )
        return time.monotonic() - began_at

    def publish(self, jobs: int) -> None:
        """Store and publish so many references, as evenly over the partitions as keys can be."""
        records = [self._reference(next(self._numbers)) for _ in range(jobs)]
        self._publisher.publish(records)

    def _reference(self, number: int) -> OutgoingRecord:
        # Keys are tried until one falls into the partition whose turn it is: balance is the group's affair here.
        key = next(
            name
            for name in (f"{number}-{attempt}" for attempt in itertools.count())
            if partition_of(job_id(name).encode(), PARTITIONS) == number % PARTITIONS
        )
        body = f"{self.prefix}{number}".encode() * 64
        self._s3.put_object(Bucket=self.bucket, Key=f"{key}.wav", Body=body)
        event = AudioReference(
            event_id=uuid.uuid4().hex,
            occurred_at=datetime.now(UTC),
            uri=f"s3://{self.bucket}/{key}.wav",
            idempotency_key=key,
        )
        self.published[job_id(key)] = number % PARTITIONS
        return encode(event, topic=self.topics.references, key=job_id(key), trace=Trace.start())

    def collect(self, *, until: float) -> None:
        """Note the transcripts that arrive until this moment of ``time.monotonic``."""
        while time.monotonic() < until:
            for record in self._follower.records(0.05):
                event = decode(record, TranscriptEvent)
                found = Done(
                    event.job_id,
                    event.provenance.model,
                    self.published[event.job_id],
                    record.timestamp_ms / 1_000,
                )
                self.done.append(found)

    @property
    def runs(self) -> int:
        """How often any job was run."""
        return (self.directory / "runs").stat().st_size


def _are_even(partitions: Sequence[int]) -> bool:
    return min(partitions) >= EVEN * max(partitions) > 0


def longest_gaps(done: Sequence[Done], *, begin: float, end: float) -> list[float]:
    """Return for each partition the longest time between two transcripts, within an interval."""
    gaps = []
    for partition in range(PARTITIONS):
        moments = [each.at for each in done if each.partition == partition and begin <= each.at <= end]
        edges = [begin, *moments, end]
        gaps.append(max(later - earlier for earlier, later in itertools.pairwise(edges)))
    return gaps
