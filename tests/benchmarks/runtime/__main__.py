"""Microseconds of runtime per record, with a stage that does nothing, beside raw poll in the same run.

Embedded broker, one process: its brokers' threads share the cores with what is measured. Records carry the
headers of a CloudEvent; metrics and logging context are on. With ``--traced`` every record is traced as well, and
its spans are sent nowhere. Run: ``python -m tests.benchmarks.runtime``.
"""

import argparse
import cProfile
import pstats
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from confluent_kafka import Consumer, Producer
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.ports import Job
from consumers.runtime.runtime import Runtime
from kascribe.process.logs import configure_logs
from producers.outbox import AtLeastOnceOutbox
from schemas.clock import SystemClock
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord
from schemas.monitoring.spans import Span
from schemas.monitoring.tracing import Tracer
from schemas.settings import KafkaSettings, LogSettings, RuntimeSettings, Settings
from tests.flow.mock_cluster import MockCluster
from tests.support.waiting import eventually

TOPIC: Final = "in"
_log: Final = structlog.get_logger(__name__)
HEADERS: Final[list[tuple[str, str | bytes | None]]] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("ce_type", b"kascribe.audio.reference.v1"),
    ("ce_source", b"kascribe"),
    ("content-type", b"application/json"),
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
]
VALUE: Final = b'{"schema_version": "1.0", "uri": "s3://audio/call.wav"}' + b" " * 200


class CountingStage:
    """A stage that only counts; ``answers``: and returns an output per record; ``logs``: and writes a line."""

    name = "counting"

    def __init__(self, *, answers: bool, logs: bool = False, prefix: str = "") -> None:
        self.topics = self.retried_topics = (prefix + TOPIC,)
        self._answers = answers
        self._logs = logs
        self._output = prefix + "out"
        self._counted: list[None] = []

    @property
    def count(self) -> int:
        """The number of records processed; list.append makes counting safe from many threads."""
        return len(self._counted)

    @property
    def services(self) -> tuple[str, ...]:
        """No services."""
        return ()

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Count the record."""
        self._counted.append(None)
        if self._logs:
            _log.info("job completed", reused=False, transcript_uri="s3://kascribe/results/5f1c0d7a.json")
        record = job.record
        return (OutgoingRecord(self._output, record.key, record.value, record.headers),) if self._answers else ()

    def failed(self, _job: Job, _failure: Failure) -> Sequence[OutgoingRecord]:
        """Return nothing; never called."""
        return ()

    def dependency_is_up(self, _dependency: str) -> bool:
        """Return True; never called."""
        return True


class CountedSpans:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.count = 0

    def take(self, _span: Span) -> None:
        """Count the span."""
        self.count += 1


def main() -> None:
    """Print microseconds of wall clock per record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--in-flight", type=int, default=RuntimeSettings().in_flight_records)
    parser.add_argument("--threads", type=int, default=RuntimeSettings().worker_threads)
    parser.add_argument("--traced", action="store_true", help="also with the spans of every record")
    parser.add_argument("--profile", action="store_true", help="profile the owner thread instead")
    arguments = parser.parse_args()
    with MockCluster() as broker, Path("/dev/null").open("w") as nothing:
        configure_logs(LogSettings(format="json"), stream=nothing)
        for topic in (TOPIC, "out", *(f"{TOPIC}.retry.{delay}" for delay in ("10s", "1m", "10m"))):
            broker.create_topic(topic, partitions=16)
        _fill(broker, arguments.records)
        print(f"records {arguments.records}, in flight at most {arguments.in_flight}")
        measures: tuple[tuple[str, Callable[[], float]], ...] = (
            ("raw poll()", lambda: _raw(broker, arguments.records, batch=1)),
            ("raw consume(500)", lambda: _raw(broker, arguments.records, batch=500)),
            ("runtime, no output", lambda: _runtime(broker, arguments)),
            ("runtime, one output per record", lambda: _runtime(broker, arguments, answers=True)),
            ("runtime, one log line per record", lambda: _runtime(broker, arguments, logs=True)),
        )
        if arguments.traced:
            tracer = Tracer(CountedSpans(), sample_ratio=1.0, clock=SystemClock())
            traced = lambda: _runtime(broker, arguments, answers=True, tracer=tracer)  # noqa: E731 - as above
            measures = (*measures, ("runtime, one output, traced", traced))
        for name, measure in measures:
            cpu = time.process_time()
            wall = measure() / arguments.records * 1e6
            cpu = (time.process_time() - cpu) / arguments.records * 1e6
            print(f"{name:32} {wall:7.1f} us/record of wall clock, {cpu:7.1f} of CPU in all threads", flush=True)


def _fill(broker: MockCluster, records: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 20})
    for number in range(records):
        producer.produce(TOPIC, VALUE, f"key-{number}", partition=number % 16, headers=HEADERS)
        if number % 10_000 == 0:
            producer.flush()
    producer.flush()


def _raw(broker: MockCluster, records: int, *, batch: int) -> float:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": f"raw-{batch}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([TOPIC])
    seen, started = 0, 0.0
    while seen < records:
        got = len(consumer.consume(batch, 0.1)) if batch > 1 else int(consumer.poll(0.1) is not None)
        # Joining the group is not measured.
        started = started or (time.perf_counter() if got else 0.0)
        seen += got
    seconds = time.perf_counter() - started
    consumer.close()
    return seconds


def _runtime(
    broker: MockCluster,
    arguments: argparse.Namespace,
    *,
    answers: bool = False,
    logs: bool = False,
    tracer: Tracer | None = None,
) -> float:
    kafka = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        group_id_prefix=f"answers-{answers}-logs-{logs}-traced-{tracer is not None}-",
        group_protocol="consumer",
    )
    settings = Settings(
        kafka=kafka,
        runtime=RuntimeSettings(in_flight_records=arguments.in_flight, worker_threads=arguments.threads),
    )
    stage = CountingStage(answers=answers, logs=logs)
    outbox = AtLeastOnceOutbox(kafka)
    metrics = Metrics(CollectorRegistry())
    runtime = Runtime(stage=stage, outbox=outbox, settings=settings, metrics=metrics, tracer=tracer)
    profiler = cProfile.Profile()
    run = (lambda: profiler.runcall(runtime.run)) if arguments.profile else runtime.run
    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: stage.count, timeout_seconds=20, interval_seconds=0.001, what="the first record")
    started = time.perf_counter()
    left = arguments.records - stage.count
    eventually(lambda: stage.count >= arguments.records, timeout_seconds=300, interval_seconds=0.02)
    seconds = (time.perf_counter() - started) * arguments.records / max(1, left)
    runtime.stop()
    thread.join()
    outbox.close(timeout_seconds=10)
    if arguments.profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    return float(seconds)


if __name__ == "__main__":
    main()
