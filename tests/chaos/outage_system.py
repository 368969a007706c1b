"""The enricher under the runtime, and outages of its language model server that begin with requests in flight."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from consumers.enricher.enrich import EnrichStage
from consumers.enricher.transcripts import StoredTranscripts
from consumers.metrics import DEPENDENCY_DOWN, Metrics
from consumers.runtime.runtime import Runtime
from models.vllm.enricher import Enricher
from producers.outbox import AtLeastOnceOutbox
from producers.results import EnrichmentResults
from schemas.kafka.topics import dead_letter_topic, topics_used_by
from schemas.options import EnrichOptions
from schemas.settings import KafkaSettings, RuntimeSettings, Settings, VllmSettings
from tests.chaos.counting import POLL_SECONDS, Extras, Row, Stopwatch, outcomes
from tests.chaos.topic_counts import KeysOn
from tests.contract.enricher.enrich_jobs import TOPICS, put_transcript, transcript_of, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

RECORDS: Final = 20
WORDS: Final = 120
PARTITIONS: Final = 4
RETRY_DELAYS_SECONDS: Final = (1, 2, 3)
DEADLINE_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault that begins and is mended. One that ``lasts`` is mended once intake has paused.

    ``before`` is called before records are published, ``begin`` when requests for them are in flight.
    """

    what: str
    begin: Callable[[], object] = lambda: None
    end: Callable[[], object] = lambda: None
    before: Callable[[], object] = lambda: None
    lasts: bool = True
    may_be_refused: bool = False


class System:
    """A runtime with the enricher's stage, a broker and a bucket. Used by one thread."""

    def __init__(self, broker: MockCluster, store: ObjectStore, base_url: str, records: int) -> None:
        self._records = records
        self.s3 = store.settings()
        self._store = store
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        inputs = (TOPICS.transcripts, TOPICS.enrich_requests)
        for topic in topics_used_by(TOPICS, inputs, RETRY_DELAYS_SECONDS):
            broker.create_topic(topic, partitions=PARTITIONS)
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        settings = Settings(
            kafka=kafka,
            runtime=RuntimeSettings(retry_delays_seconds=RETRY_DELAYS_SECONDS, dependency_check_seconds=0.5),
            vllm=VllmSettings(base_url=base_url, timeout_seconds=4.0, concurrency_limit=8),
        )
        self._results = EnrichmentResults(self.s3, client=store.client)
        self._enricher = Enricher(settings.vllm, note_store=self._results)
        stage = EnrichStage(
            StoredTranscripts(self.s3, client=store.client),
            self._results,
            self._enricher,
            topics=TOPICS,
            settings=settings.vllm,
        )
        self._outbox = AtLeastOnceOutbox(kafka)
        registry = CollectorRegistry()
        self._runtime = Runtime(stage=stage, outbox=self._outbox, settings=settings, metrics=Metrics(registry))
        self._thread = threading.Thread(target=self._runtime.run, name="runtime")
        self._thread.start()
        self._events = KeysOn(broker.bootstrap_servers, TOPICS.enrichments, PARTITIONS)
        self._dead = KeysOn(broker.bootstrap_servers, dead_letter_topic(TOPICS.transcripts), PARTITIONS)
        self._extras = Extras(self._events)
        # The gauge changes as intake pauses and resumes; the runtime's snapshot would be a second late.
        self._paused = Stopwatch(
            lambda: bool(registry.get_sample_value(DEPENDENCY_DOWN.name, {"dependency": "vllm"}))
        )
        self._numbers = count()

    def close(self) -> None:
        """Drain and close."""
        self._paused.close()
        self._runtime.stop()
        self._thread.join()
        self._outbox.close(timeout_seconds=10)
        self._enricher.close()
        self._events.close()
        self._dead.close()

    def run(self, outage: Outage) -> Row:
        """Publish, begin an outage, mend it once intake has paused, and count once all is quiet."""
        started, paused_before = time.monotonic(), self._paused.seconds
        outage.before()
        wanted = self._publish()
        in_flight = eventually(
            lambda: self._enricher.load().in_flight,
            timeout_seconds=DEADLINE_SECONDS,
            interval_seconds=POLL_SECONDS,
            what="requests in flight",
        )
        outage.begin()
        if outage.lasts:
            eventually(
                lambda: self._paused.seconds > paused_before, timeout_seconds=DEADLINE_SECONDS, what="pausing"
            )
        outage.end()
        # A record without an outcome at the deadline is lost: the table reports it.
        with suppress(AssertionError):
            eventually(lambda: self._all_came_out(wanted), timeout_seconds=DEADLINE_SECONDS)
        ended = time.monotonic()
        eventually(lambda: self._is_quiet(ended), timeout_seconds=DEADLINE_SECONDS, what=f"quiet: {outage.what}")
        return Row(
            what=outage.what,
            **outcomes(wanted, self._events.seen(), self._dead.seen()),
            **self._extras.since(),
            in_flight_at_outage=in_flight,
            paused_seconds=self._paused.seconds - paused_before,
            seconds=ended - started,
            may_be_refused=outage.may_be_refused,
        )

    def _all_came_out(self, wanted: set[str]) -> bool:
        return not outcomes(wanted, self._events.seen(), self._dead.seen())["lost"]

    def _is_quiet(self, since: float) -> bool:
        """Return whether at a snapshot after that time nothing was running, waiting or on its way out."""
        now = self._runtime.snapshot()
        return now.taken_at > since and not (
            now.in_flight_records or now.waiting_records or now.undelivered_records
        )

    def _publish(self) -> set[str]:
        wanted: set[str] = set()
        for _ in range(self._records):
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


@contextmanager
def system(broker: MockCluster, store: ObjectStore, base_url: str, records: int = RECORDS) -> Iterator[System]:
    """Run a system that publishes so many records for each outage, and drain it at the end."""
    one = System(broker, store, base_url, records)
    try:
        yield one
    finally:
        one.close()
