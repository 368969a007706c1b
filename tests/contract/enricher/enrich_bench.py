"""The enricher's stage on a real object store, with a language model double behind it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from prometheus_client import CollectorRegistry

from consumers.cancellations import Cancellations
from consumers.enricher.enrich import EnrichStage
from consumers.enricher.transcripts import StoredTranscripts
from consumers.metrics import Metrics
from kascribe.metering.enrichments import ENRICHMENT_METRICS, EnrichmentMeter
from models.vllm.enricher import Enricher
from producers.results import EnrichmentResults
from schemas.kafka.records import OutgoingRecord, Record
from schemas.settings import S3Settings, VllmSettings
from schemas.transcripts.transcript import Segment
from tests.contract.enricher.enrich_jobs import TOPICS, WHEN, put_transcript, transcript_of
from tests.contract.transcriber.stage_jobs import Runtime
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.support.clock import HandClock
from tests.support.object_store import ObjectStore


async def no_pause(_: float) -> None:
    """Retries do not wait here."""


class TickingClock(HandClock):
    """Shows the day of the tests' events; its monotonic side gains a second with every call."""

    def now(self) -> datetime:
        """Return the day of the tests' events."""
        return WHEN

    def monotonic(self) -> float:
        """Return one second more than at the last call."""
        self.seconds += 1
        return self.seconds


@dataclass
class Bench:
    """One stage, what is around it, and what it was told."""

    store: ObjectStore
    settings: S3Settings
    double: VllmDouble
    cancellations: Cancellations
    stage: EnrichStage
    registry: CollectorRegistry
    runtime: Runtime = field(default_factory=Runtime)

    def transcript(self, segments: Sequence[Segment], name: str = "t") -> str:
        """Store a transcript; return its URI."""
        return put_transcript(self.store.client, self.settings, transcript_of(segments), name=name)

    def process(self, record: Record) -> Sequence[OutgoingRecord]:
        """One attempt."""
        return self.stage.process(self.runtime.job(record))


BenchMaker = Callable[..., Bench]


@contextmanager
def bench_maker(store: ObjectStore) -> Iterator[BenchMaker]:
    """Make benches that share a language model; what they open is closed at the end."""
    with ExitStack() as opened:
        double = opened.enter_context(running(VllmDouble(context_tokens=4_096)))

        def make(settings: S3Settings | None = None, **vllm: object) -> Bench:
            s3 = settings or store.settings()
            results = EnrichmentResults(s3, client=store.client)
            configured = VllmSettings.model_validate({"base_url": double.base_url, "timeout_seconds": 5.0, **vllm})
            enricher = opened.enter_context(Enricher(configured, note_store=results, sleep=no_pause))
            numbers = count()
            cancellations, registry = Cancellations(), CollectorRegistry()
            stage = EnrichStage(
                StoredTranscripts(s3, client=store.client),
                results,
                enricher,
                topics=TOPICS,
                settings=configured,
                cancellations=cancellations,
                clock=TickingClock(),
                new_id=lambda: str(next(numbers)),
                observer=EnrichmentMeter(Metrics(registry, ENRICHMENT_METRICS)),
            )
            return Bench(store, s3, double, cancellations, stage, registry)

        yield make
