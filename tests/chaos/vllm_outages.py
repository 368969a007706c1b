"""Language model servers that fail, under the real runtime: what was lost, doubled or dead-lettered, and how long
intake paused. ``python -m tests.chaos.vllm_outages`` uses the double; ``--real`` kills and stops a real vLLM.

Doubled: another event for the same job. Repeated: the same event again, byte for byte, as at-least-once has it
when an offset could not be committed. The broker is librdkafka's mock cluster and the object store is moto's: what
is tested is the enricher.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import structlog
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from consumers.enrich import EnrichStage
from consumers.runtime.metrics import Metrics
from consumers.runtime.runtime import Runtime
from consumers.transcript_source import StoredTranscripts
from deploy.stack.cache import default_cache
from deploy.vllm.server import VllmServer, down, healthy, running, up
from models.vllm.enricher import Enricher
from producers.map_results import EnrichmentResults
from producers.outbox import AtLeastOnceOutbox
from schemas.options import EnrichOptions
from schemas.settings import KafkaSettings, RuntimeSettings, Settings, VllmSettings
from schemas.topics import dead_letter_topic, retry_topic
from tests.contract.enrich_jobs import TOPICS, put_transcript, transcript_of, transcript_record
from tests.contract.transcripts import spoken
from tests.contract.vllm_double import Fault, VllmDouble
from tests.contract.vllm_double import running as running_double
from tests.flow.mock_cluster import MockCluster
from tests.object_store import ObjectStore, running_object_store
from tests.topic_counts import KeysOn
from tests.waiting import eventually

RECORDS = 20
WORDS = 120
PARTITIONS = 4
RETRY_DELAYS_SECONDS = (1, 2, 3)
DEADLINE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Row:
    """What one outage did."""

    what: str
    events: int
    doubled: int
    repeated: int
    lost: int
    dead_letters: int
    paused_seconds: float
    seconds: float

    def __str__(self) -> str:
        paused = f"{self.paused_seconds:6.1f}" if self.paused_seconds else "     -"
        return (
            f"{self.what:44} {RECORDS:7} {self.events:6} {self.doubled:7} {self.repeated:8} {self.lost:4} "
            f"{self.dead_letters:12} {paused} {self.seconds:7.1f}"
        )


HEADER = f"{'what':44} records events doubled repeated lost dead letters paused seconds"


class System:
    """A runtime with the enricher's stage, a broker and a bucket. Used by one thread."""

    def __init__(self, broker: MockCluster, store: ObjectStore, base_url: str) -> None:
        self.s3 = store.settings()
        self._store = store
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        for topic in (*TOPICS.all, *(retry_topic(TOPICS.transcripts, delay) for delay in RETRY_DELAYS_SECONDS)):
            broker.create_topic(topic, partitions=PARTITIONS)
        broker.create_topic(dead_letter_topic(TOPICS.transcripts), partitions=PARTITIONS)
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        settings = Settings(
            kafka=kafka,
            runtime=RuntimeSettings(retry_delays_seconds=RETRY_DELAYS_SECONDS, dependency_check_seconds=0.5),
            vllm=VllmSettings(base_url=base_url, timeout_seconds=4.0, concurrency_limit=8),
        )
        self._results = EnrichmentResults(self.s3, client=store.client)
        self._enricher = Enricher(settings.vllm, cache=self._results)
        stage = EnrichStage(
            StoredTranscripts(self.s3, client=store.client),
            self._results,
            self._enricher,
            topics=TOPICS,
            settings=settings.vllm,
        )
        self._outbox = AtLeastOnceOutbox(kafka)
        self._runtime = Runtime(
            stage=stage, outbox=self._outbox, settings=settings, metrics=Metrics(CollectorRegistry())
        )
        self._thread = threading.Thread(target=self._runtime.run, name="runtime")
        self._thread.start()
        self._events = KeysOn(broker.bootstrap_servers, TOPICS.enrichments, PARTITIONS)
        self._dead = KeysOn(broker.bootstrap_servers, dead_letter_topic(TOPICS.transcripts), PARTITIONS)
        self._numbers = count()

    def close(self) -> None:
        """Drains and ends."""
        self._runtime.stop()
        self._thread.join()
        self._outbox.close(timeout_seconds=10)
        self._enricher.close()
        self._events.close()
        self._dead.close()

    def is_paused(self) -> bool:
        """Whether intake waits for the language model."""
        return "vllm" in self._runtime.snapshot().dependencies_down

    def run(self, what: str, outage: Callable[[], None], undo: Callable[[], None], *, lasts: bool) -> Row:
        """Publishes, breaks something, mends it once intake has paused, and counts when all is quiet."""
        started = time.monotonic()
        before, dead_before = len(self._events.seen()), len(self._dead.seen())
        doubled, repeated = self._events.extra()
        outage()
        wanted = self._publish()
        paused_at = 0.0
        if lasts:
            eventually(self.is_paused, timeout_seconds=DEADLINE_SECONDS, what="pausing")
            paused_at = time.monotonic()
        undo()
        eventually(
            lambda: wanted <= set(self._events.seen()[before:]) | set(self._dead.seen()[dead_before:]),
            timeout_seconds=DEADLINE_SECONDS,
            what=f"every record's outcome after {what}",
        )
        resumed_at = time.monotonic()
        eventually(self._is_quiet, timeout_seconds=DEADLINE_SECONDS, what=f"quiet after {what}")
        enriched = set(self._events.seen()[before:])
        dead = len(set(self._dead.seen()[dead_before:]) & wanted)
        doubled_since, repeated_since = self._events.extra()
        return Row(
            what=what,
            events=len(enriched & wanted),
            doubled=doubled_since - doubled,
            repeated=repeated_since - repeated,
            lost=len(wanted - enriched) - dead,
            dead_letters=dead,
            paused_seconds=resumed_at - paused_at if paused_at else 0.0,
            seconds=resumed_at - started,
        )

    def _is_quiet(self) -> bool:
        """Whether nothing is in work, waits for room or for its time, or is on its way out."""
        now = self._runtime.snapshot()
        return not (now.in_flight_records or now.waiting_records or now.undelivered_records)

    def _publish(self) -> set[str]:
        wanted: set[str] = set()
        for _ in range(RECORDS):
            number = next(self._numbers)
            uri = put_transcript(
                self._store.client, self.s3, transcript_of(spoken(WORDS, seed=number)), name=str(number)
            )
            record = transcript_record(
                uri, key=f"outage-{number}", enrich=EnrichOptions(profiles=("summary", "title"))
            )
            key = KeysOn.job_of(record)
            self._producer.produce(TOPICS.transcripts, record.value, key)
            wanted.add(key)
        self._producer.flush()
        return wanted


def on_double(store: ObjectStore, broker: MockCluster) -> Iterator[Row]:
    """Every fault, for a while and for every third request."""
    with running_double(VllmDouble(context_tokens=4_096)) as double, system(broker, store, double.base_url) as one:

        def always(fault: Fault) -> None:
            double.always = fault

        def sometimes(fault: Fault) -> None:
            double.faults = deque([fault, Fault.NONE, Fault.NONE] * RECORDS)

        yield one.run("nothing", lambda: None, lambda: None, lasts=False)
        for fault in (Fault.BUSY, Fault.ERROR, Fault.GARBAGE, Fault.HANG, Fault.DISCONNECT, Fault.CUT_CONNECTION):
            what = f"every request: {fault.value}"
            yield one.run(what, partial(always, fault), partial(always, Fault.NONE), lasts=True)
        for fault in sorted(set(Fault) - {Fault.NONE, Fault.REFUSED, Fault.HANG}):
            yield one.run(
                f"every third request: {fault.value}", partial(sometimes, fault), lambda: None, lasts=False
            )


def on_real(store: ObjectStore, broker: MockCluster, state: Path) -> Iterator[Row]:
    """A real server, stopped, killed and restarted on its port."""
    server = up(cache=default_cache(), state=state, context_tokens=2_048)
    port = int(server.base_url.rpartition(":")[2])

    def restart() -> None:
        down(state)
        up(cache=default_cache(), state=state, context_tokens=2_048, port=port)

    try:
        with system(broker, store, server.base_url) as one:
            yield one.run("nothing", lambda: None, lambda: None, lasts=False)
            yield one.run(
                "SIGSTOP to every process, then SIGCONT",
                lambda: signalled(state, signal.SIGSTOP),
                lambda: signalled(state, signal.SIGCONT),
                lasts=True,
            )
            yield one.run(
                "SIGKILL to every process, then a restart",
                lambda: signalled(state, signal.SIGKILL),
                restart,
                lasts=True,
            )
            yield one.run("SIGTERM, then a restart", lambda: terminated(state), restart, lasts=True)
    finally:
        down(state)


def signalled(state: Path, number: signal.Signals) -> None:
    """Sends a signal to every process of the server that we started in ``state``."""
    for process in known(state).processes:
        os.kill(process.pid, number)


def terminated(state: Path) -> None:
    """SIGTERM to the server's first process, and waits until it does not answer."""
    server = known(state)
    os.kill(server.process.pid, signal.SIGTERM)
    eventually(lambda: not healthy(server), timeout_seconds=60, what="ending")


def known(state: Path) -> VllmServer:
    """The server that was started there."""
    server = running(state)
    if server is None:
        raise SystemExit(f"no server in {state}")
    return server


@contextmanager
def system(broker: MockCluster, store: ObjectStore, base_url: str) -> Iterator[System]:
    """A system, drained at the end."""
    one = System(broker, store, base_url)
    try:
        yield one
    finally:
        one.close()


def main() -> int:
    """Prints the table; 1 when anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.vllm_outages", description=__doc__)
    parser.add_argument("--real", action="store_true", help="a real vLLM server instead of the double")
    parser.add_argument("--state", type=Path, default=default_cache() / "vllm" / "chaos", help="of the server")
    chosen = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    bad = 0
    print(HEADER)
    with running_object_store() as store, MockCluster() as broker:
        for row in on_real(store, broker, chosen.state) if chosen.real else on_double(store, broker):
            print(row, flush=True)
            bad += row.lost + row.doubled
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
