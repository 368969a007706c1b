"""``make bench-delivery``: exactly once beside at least once, on a real broker, in one run.

Throughput of a stage that returns one output per record; and at a slow and at a faster rate, from a record's
publication to its output at a reader with ``read_committed``, and from there to the commit of the record's offset.
The two take turns, so that both meet the same machine. The broker shares the cores with what is measured.
"""

import argparse
import os
import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.runtime import Runtime
from deploy.stack import Stack, Topic
from kascribe.wiring.consumer import opened_outbox
from schemas.kafka.topics import dead_letter_topic, retry_topic
from schemas.settings import KafkaSettings, RuntimeSettings, Settings
from tests.benchmarks.gateway import percentile
from tests.benchmarks.runtime.__main__ import HEADERS, TOPIC, VALUE, CountingStage
from tests.support.waiting import eventually

DELIVERIES: Final = ("at_least_once", "exactly_once")
RATES: Final = (5.0, 60.0)
P95: Final = 0.95
WAIT_SECONDS: Final = 120.0
THROUGHPUT_GOAL_PERCENT: Final = 5.0
LATENCY_GOAL_SECONDS: Final = 0.020


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds by record: from its publication to the readable output, and from there to the commit."""

    to_output: Sequence[float]
    to_commit: Sequence[float]


class Load:
    """Topics of their own for one measurement, with a group that reads them."""

    def __init__(self, stack: Stack, name: str, *, partitions: int) -> None:
        self.prefix = f"{name}."
        names = (TOPIC, "out", dead_letter_topic(TOPIC), *(retry_topic(TOPIC, each) for each in (10, 60, 600)))
        stack.create_topics([Topic(self.prefix + each, partitions) for each in names])
        self.servers = stack.bootstrap_servers
        self.partitions = partitions
        self.group = f"{self.prefix}counting"

    def publish(self, count: int) -> None:
        """Publish so many records."""
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 20, "log_level": 0})
        for number in range(count):
            partition = number % self.partitions
            producer.produce(self.prefix + TOPIC, VALUE, f"key-{number}", partition=partition, headers=HEADERS)
            producer.poll(0)
        assert producer.flush(WAIT_SECONDS) == 0

    @contextmanager
    def running(self, delivery: str) -> Iterator[CountingStage]:
        """Run the stage while the context lasts."""
        kafka = KafkaSettings.model_validate(
            {"bootstrap_servers": self.servers, "group_id_prefix": self.prefix, "group_protocol": "consumer"}
        )
        settings = Settings(kafka=kafka, runtime=RuntimeSettings.model_validate({"delivery": delivery}))
        stage = CountingStage(answers=True, prefix=self.prefix)
        outbox = opened_outbox(stage.name, settings)
        runtime = Runtime(stage=stage, outbox=outbox, settings=settings, metrics=Metrics(CollectorRegistry()))
        thread = threading.Thread(target=runtime.run)
        thread.start()
        try:
            yield stage
        finally:
            runtime.stop()
            thread.join()
            outbox.close(timeout_seconds=10)

    def outputs(self) -> Consumer:
        """Open a reader of committed outputs."""
        reader = Consumer({"bootstrap.servers": self.servers, "group.id": "outputs", "log_level": 0})
        topic = self.prefix + "out"
        reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(self.partitions)])
        return reader


def throughput(stack: Stack, name: str, delivery: str, *, records: int) -> float:
    """Return records per second, from the first readable output to the last."""
    load = Load(stack, name, partitions=4)
    load.publish(records)
    reader = load.outputs()
    seen, started = 0, 0.0
    with load.running(delivery):
        deadline = time.monotonic() + WAIT_SECONDS
        while seen < records and time.monotonic() < deadline:
            got = len(reader.consume(1_000, 0.1))
            started = started or (time.monotonic() if got else 0.0)
            seen += got
        seconds = time.monotonic() - started
    reader.close()
    assert seen == records, f"{seen} of {records} outputs came"
    return records / seconds


class _CommitTimes(threading.Thread):
    """When each committed offset of a group was first seen, asked for all the time."""

    def __init__(self, load: Load) -> None:
        super().__init__(daemon=True)
        self.offsets: list[int] = []
        self.times: list[float] = []
        self._asked = [TopicPartition(load.prefix + TOPIC, 0)]
        # With read_committed, a request during a transaction is repeated after 100 ms.
        self._consumer = Consumer(
            {
                "bootstrap.servers": load.servers,
                "group.id": load.group,
                "isolation.level": "read_uncommitted",
                "log_level": 0,
            }
        )
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            (found,) = self._consumer.committed(self._asked, timeout=10)
            if found.offset > (self.offsets[-1] if self.offsets else -1):
                self.times.append(time.monotonic())
                self.offsets.append(found.offset)

    def at(self, offset: int) -> float:
        """Return when an offset was seen as committed."""
        return self.times[bisect_left(self.offsets, offset + 1)]

    def stop(self) -> None:
        """Stop asking."""
        self._stopped.set()
        self.join()
        self._consumer.close()


def latencies(stack: Stack, name: str, delivery: str, *, rate: float, records: int) -> Latencies:
    """Publish at a rate to one partition; return each record's latencies. The first tenth warms up."""
    load = Load(stack, name, partitions=1)
    reader = load.outputs()
    producer = Producer({"bootstrap.servers": load.servers, "linger.ms": 0, "log_level": 0})
    commits = _CommitTimes(load)
    published: list[float] = []
    read: list[float] = []
    with load.running(delivery) as stage:
        load.publish(1)
        eventually(lambda: stage.count, timeout_seconds=WAIT_SECONDS, what="the first record")
        commits.start()
        due = time.monotonic()
        while len(read) <= records:
            if len(published) < records and time.monotonic() >= due:
                published.append(time.monotonic())
                producer.produce(load.prefix + TOPIC, VALUE, b"key", partition=0, headers=HEADERS)
                producer.poll(0)
                due += 1 / rate
            read += [time.monotonic()] * len(reader.consume(100, 0.002))
        eventually(lambda: commits.offsets and commits.offsets[-1] > records, timeout_seconds=WAIT_SECONDS)
    commits.stop()
    reader.close()
    measured = range(records // 10, records)
    return Latencies(
        [read[number + 1] - published[number] for number in measured],
        [max(0.0, commits.at(number + 1) - read[number + 1]) for number in measured],
    )


def main() -> None:
    """Print throughput and latencies of both, and what exactly once costs."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.runtime.delivery", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="of the throughput")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each latency measurement")
    chosen = parser.parse_args()
    speeds: dict[str, list[float]] = {each: [] for each in DELIVERIES}
    with TemporaryDirectory(prefix="kascribe-delivery-") as directory:
        stack = Stack.up(Path(directory) / "stack", topics=())
        try:
            for number in range(chosen.rounds):
                for delivery in DELIVERIES[:: 1 if number % 2 else -1]:
                    speed = throughput(stack, f"{delivery}-{number}", delivery, records=chosen.records)
                    speeds[delivery].append(speed)
            _print_throughput(speeds)
            for rate in RATES:
                found = {
                    each: latencies(
                        stack, f"{each}-{rate:g}", each, rate=rate, records=round(rate * chosen.seconds)
                    )
                    for each in DELIVERIES
                }
                _print_latencies(rate, found)
        finally:
            stack.down(purge=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _print_throughput(speeds: Mapping[str, Sequence[float]]) -> None:
    for delivery, each in speeds.items():
        print(f"{delivery:15} {statistics.median(each):8.0f} records/s, median of {len(each)} rounds")
    ratios = [late / early for early, late in zip(*speeds.values(), strict=True)]
    cost = 100 * (1 - statistics.median(ratios))
    verdict = "met" if cost <= THROUGHPUT_GOAL_PERCENT else "missed"
    print(f"goal: exactly once costs at most {THROUGHPUT_GOAL_PERCENT:g} % of throughput: {cost:.1f} %, {verdict}")


def _print_latencies(rate: float, found: Mapping[str, Latencies]) -> None:
    for delivery, each in found.items():
        times = " ".join(
            f"{what} {1e3 * statistics.median(values):6.1f} / {1e3 * percentile(values, P95):6.1f} ms"
            for what, values in (("to the output", each.to_output), ("from it to the commit", each.to_commit))
        )
        print(f"{rate:3g}/s {delivery:15} median / p95 {times}", flush=True)
    medians = [statistics.median(each.to_output) for each in found.values()]
    added = medians[1] - medians[0]
    verdict = "met" if added <= LATENCY_GOAL_SECONDS else "missed"
    print(
        f"goal: it adds at most {1e3 * LATENCY_GOAL_SECONDS:g} ms at the median: {1e3 * added:.1f} ms, {verdict}"
    )


if __name__ == "__main__":
    main()
