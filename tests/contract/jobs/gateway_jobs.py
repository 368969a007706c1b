"""The gateway's jobs without HTTP and without Kafka: a bucket, and a publisher whose broker the test is."""

import asyncio
import hashlib
import io
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from kascribe.documents.event_examples import EXAMPLES
from producers.finished_jobs import FinishedJobs
from producers.gateway.interactive.answers import PendingAnswers
from producers.gateway.interactive.clients import Clients
from producers.gateway.interactive.job_request import JobAnswer, JobRequest
from producers.gateway.interactive.jobs import Jobs
from producers.results import EnrichmentResults, ResultStore
from producers.uploads import Uploads
from schemas.errors import DependencyDown
from schemas.events import CancellationEvent, EnrichmentEvent, Event, TranscriptEvent
from schemas.identity import content_key, enrich_digest
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.options import EnrichOptions, TranscribeOptions
from schemas.results import ResultKeys, StoredEnrichment, StoredJob
from schemas.settings import S3Settings
from tests.support.clock import HandClock
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

TOPICS = Topics()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
AUDIO = b"some audio"
SUMMARY = EnrichOptions(profiles=("summary",))


class Broker:
    """A publisher whose records the test reads. ``gate`` holds answers back; ``is_down`` refuses."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.is_down = False
        self.gate = threading.Event()
        self.gate.set()

    def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """As the protocol says."""
        self.gate.wait(30)
        if self.is_down:
            raise DependencyDown("kafka", "no broker")
        self.records += records

    def on(self, topic: str) -> list[dict[str, Any]]:
        """Return the bodies on a topic, in their order."""
        return [json.loads(record.value or b"{}") for record in self.records if record.topic == topic]


def asked(**changed: Any) -> JobRequest:
    """One request with a key of its caller's."""
    given: dict[str, Any] = {
        "file_name": "a.wav",
        "content_type": "audio/wav",
        "idempotency_key": "call-7",
        "is_repeatable": True,
        "options": TranscribeOptions(),
        "enrich": None,
        "tenant": "team",
        "trace": Trace("0" * 32, "1" * 16),
    }
    return JobRequest(**{**given, **changed})


ENRICHED = asked(enrich=SUMMARY)
UNNAMED = asked(idempotency_key="gateway:1", is_repeatable=False)


@dataclass
class Desk:
    """Jobs on a loop, what is behind them, and what came of them."""

    jobs: Jobs
    broker: Broker
    results: ResultStore
    enrichments: EnrichmentResults
    calling: ThreadPoolExecutor
    reads: int = 0
    _running: list[asyncio.Task[JobAnswer]] = field(default_factory=list)

    def ask(self, wish: JobRequest, audio: bytes = AUDIO) -> asyncio.Task[JobAnswer]:
        """Begins a request."""
        task = asyncio.create_task(self.jobs.answer(wish, io.BytesIO(audio)))
        self._running.append(task)
        return task

    async def published(self, topic: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until a topic has so many records."""
        await self._until(lambda: len(self.broker.on(topic)) >= count, f"{count} records on {topic}")
        return self.broker.on(topic)

    async def looked(self, times: int) -> None:
        """Wait until the request has polled the bucket so many more times."""
        before = self.reads
        await self._until(lambda: self.reads >= before + times, f"{times} looks into the bucket")

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        await asyncio.to_thread(
            partial(eventually, condition, timeout_seconds=20, interval_seconds=0.005, what=what)
        )

    def count_read(self, **_: object) -> None:
        """Count a read of the store."""
        self.reads += 1

    def say(self, topic: str, event: Event, job_id: str) -> None:
        """Deliver an event as if it came from the broker."""
        self.jobs.answers.offer(Record(topic, 0, 0, job_id.encode(), event.model_dump_json().encode()))

    def transcript(self, wish: JobRequest, *, audio: bytes = AUDIO, **changed: Any) -> TranscriptEvent:
        """Build the transcriber's answer to a request with that audio."""
        made = TranscriptEvent.model_validate({**EXAMPLES[TranscriptEvent], "enrich": None, "text": "heard"})
        content = content_key(
            audio_sha256=hashlib.sha256(audio).hexdigest(),
            options=wish.options,
            model_sha256=made.provenance.model_sha256,
        )
        given: dict[str, Any] = {
            "job_id": wish.job_id,
            "tenant": wish.tenant,
            "enrich": wish.enrich,
            "transcript_uri": self.results.transcript_uri(content),
        }
        return made.model_copy(update={**given, **changed})

    def enrichment(self, wish: JobRequest) -> EnrichmentEvent:
        """Build the enricher's answer to a request."""
        made = EnrichmentEvent.model_validate(EXAMPLES[EnrichmentEvent])
        key = ResultKeys("kascribe-results/").enrichment(
            wish.job_id, enrich_digest(wish.enrich or EnrichOptions())
        )
        return made.model_copy(
            update={"job_id": wish.job_id, "tenant": wish.tenant, "results_uri": f"s3://audio/{key}"}
        )

    def keep(self, event: TranscriptEvent) -> None:
        """Finish the job in the bucket without delivering its event."""
        owner = Coordinates(TOPICS.references, 0, 0)
        self.results.create_job(StoredJob(job_id=event.job_id, owner=owner, content_key="c", event=event))

    def keep_enrichment(self, event: EnrichmentEvent, options: EnrichOptions) -> None:
        """So is its enrichment."""
        owner = Coordinates(TOPICS.transcripts, 0, 0)
        self.enrichments.create_enrichment(
            StoredEnrichment(job_id=event.job_id, owner=owner, enrich_digest=enrich_digest(options), event=event)
        )

    async def end(self) -> None:
        """Nobody waits any longer."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


Story = Callable[[Desk], Coroutine[None, None, None]]
Tell = Callable[..., None]


@contextmanager
def threads() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    """For uploads and for calls; one call at a time."""
    with ThreadPoolExecutor(2) as uploading, ThreadPoolExecutor(1) as calling:
        yield uploading, calling


@asynccontextmanager
async def desk(store: ObjectStore, settings: S3Settings, *, patience_seconds: float = 20.0) -> AsyncIterator[Desk]:
    """Open a desk in the running loop."""
    broker, numbers, clock = Broker(), itertools.count(1), HandClock()
    clock.seconds = NOW.timestamp()
    results = ResultStore(settings, client=store.client)
    enrichments = EnrichmentResults(settings, client=store.client)
    with threads() as (uploading, calling):
        jobs = Jobs(
            clients=Clients(
                uploads=Uploads(settings, client=store.client),
                publisher=broker,
                topics=TOPICS,
                uploading=uploading,
                calling=calling,
                clock=clock,
                new_id=lambda: f"id-{next(numbers)}",
            ),
            answers=PendingAnswers(TOPICS, asyncio.get_running_loop()),
            finished=FinishedJobs(results, enrichments),
            answer_timeout_seconds=patience_seconds,
        )
        made = Desk(jobs, broker, results, enrichments, calling)
        store.client.meta.events.register("before-call.s3.GetObject", made.count_read)
        try:
            yield made
        finally:
            store.client.meta.events.unregister("before-call.s3.GetObject", made.count_read)
            broker.gate.set()
            await made.end()


def cancellation(wish: JobRequest, *reference_event_ids: str) -> CancellationEvent:
    """Somebody else withdraws references of a job."""
    return CancellationEvent(
        event_id="other", occurred_at=NOW, job_id=wish.job_id, reference_event_ids=reference_event_ids
    )


def teller(store: ObjectStore) -> Tell:
    """Run stories, each at a desk of its own before a bucket that all of them share."""
    settings = store.settings(versioned=True)

    def tell(story: Story, *, patience_seconds: float = 20.0) -> None:
        async def at_a_desk() -> None:
            async with desk(store, settings, patience_seconds=patience_seconds) as made:
                await story(made)

        asyncio.run(at_a_desk())

    return tell


async def gone(task: asyncio.Task[JobAnswer]) -> None:
    """Disconnect a client, and wait for the consequences."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def turned() -> None:
    """Let the loop run what is ready, a few times."""
    for _ in range(5):
        ready = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(ready.set_result, None)
        await ready
