"""The wiring of the gateway: HTTP in front, the bucket and Kafka behind."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Final

from consumers.metrics import Instruments
from consumers.s3 import BucketProbe
from kascribe.process.shutdown import ended_by_signals
from kascribe.process.tracing.tracer import opened_tracer
from kascribe.wiring.documentation import event_documents
from kascribe.wiring.gateway_access import opened_gate, warn_if_open
from kascribe.wiring.gateway_archive import opened_gateway_archive
from kascribe.wiring.gateway_events import opened_states
from kascribe.wiring.gateway_jobs import job_services
from kascribe.wiring.gateway_monitoring import CHECKING_THREADS, gateway_health, gateway_instruments
from producers.archive.reads import ARCHIVE_DEPENDENCY
from producers.finished_jobs import FinishedJobs
from producers.gateway.archive.deletions import RecentDeletions
from producers.gateway.events.stored import StoredJobs
from producers.gateway.interactive.answers import PendingAnswers
from producers.gateway.interactive.clients import Clients
from producers.gateway.interactive.jobs import Jobs
from producers.gateway.monitoring.dependencies import Dependencies
from producers.gateway.openai.served_models import ServedModels
from producers.gateway.server import FINISH_SECONDS, REFUSE_SECONDS, GatewayServer
from producers.gateway.services import Services
from producers.results import EnrichmentResults, ResultStore
from producers.s3 import create_client
from producers.shared_publisher import SharedPublisher
from producers.topics import ensure_topics
from producers.uploads import PARTS_IN_FLIGHT, Uploads
from schemas.clock import SystemClock
from schemas.errors import KascribeError
from schemas.identity import random_id
from schemas.kafka.topics import Topics
from schemas.monitoring.tracing import Tracer
from schemas.roles import Role
from schemas.settings import S3Settings, Settings

CLOSE_SECONDS: Final = 5.0
"""For the calls in progress on its threads, after the server has ended."""

UPLOADING_THREADS: Final = 16
UPLOAD_PART_BYTES: Final = 5 * 1024**2
"""S3's smallest. An upload holds four parts, so all threads together hold 320 MiB at most."""

CALLING_THREADS: Final = 16
LISTENING_THREADS: Final = 8
"""For recordings that are played: own threads, so that requests do not wait for them."""

STORE_CONNECTIONS: Final = UPLOADING_THREADS * PARTS_IN_FLIGHT + CALLING_THREADS + LISTENING_THREADS
STORE_TIMEOUT_SECONDS: Final = 10.0
"""For one connect or read, each tried three times: short, because a client waits."""


def run_gateway(settings: Settings) -> None:
    """Serve until SIGTERM, then give waiting requests a few seconds more. Blocks.

    Raises ConfigurationError when no broker answers, topics are missing and may not be created, or the address
    cannot be listened on; KascribeError when the clients behind it cannot be opened.
    """
    topics = Topics(settings.kafka.topic_prefix)
    ensure_topics(settings.kafka, dict.fromkeys(topics.all, settings.kafka.topic_partitions))
    warn_if_open(settings.gateway)
    instruments = gateway_instruments()
    with (
        ended_by_signals(limit_seconds=FINISH_SECONDS + REFUSE_SECONDS + CLOSE_SECONDS) as shutdown,
        opened_tracer(
            settings.tracing, instruments, role=Role.GATEWAY, seconds_left=shutdown.seconds_left
        ) as tracer,
    ):
        server = gateway_server(settings, instruments=instruments, tracer=tracer)
        shutdown.pass_to(server.stop)
        server.run()
    if not server.started:
        raise KascribeError("the gateway did not start; its log says why")


def gateway_server(
    settings: Settings, *, instruments: Instruments | None = None, tracer: Tracer | None = None
) -> GatewayServer:
    """Build the server with the services of these settings behind it, not yet started."""
    return GatewayServer(
        settings.gateway,
        open_services=partial(opened_services, settings),
        event_documents=event_documents,
        instruments=instruments or gateway_instruments(),
        tracer=tracer,
    )


@asynccontextmanager
async def opened_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the services behind the routes while the server runs. Raises DependencyDown without a broker."""
    clock = SystemClock()
    topics = Topics(settings.kafka.topic_prefix)
    answers = PendingAnswers(topics, asyncio.get_running_loop())
    s3 = _interactive(settings.s3)
    store = create_client(s3, connections=STORE_CONNECTIONS)
    results, enrichments = ResultStore(s3, client=store), EnrichmentResults(s3, client=store)
    stored, deletions = StoredJobs(results, enrichments), RecentDeletions(topics.deletions)
    with (
        # Closed last: a cancellation that a thread is publishing then is still confirmed by the broker.
        closing(SharedPublisher(settings.kafka)) as publisher,
        ThreadPoolExecutor(UPLOADING_THREADS, "uploading") as uploading,
        ThreadPoolExecutor(CALLING_THREADS, "calling") as calling,
        ThreadPoolExecutor(LISTENING_THREADS, "listening") as listening,
        # Own pool, so that a hung check cannot starve requests.
        ThreadPoolExecutor(CHECKING_THREADS, "checking") as checking,
        opened_states(answers, stored, deletions, settings, calling=calling, clock=clock) as states,
        opened_gateway_archive(settings.archive, deletions) as archive,
    ):
        clients = Clients(
            uploads=Uploads(s3, client=store),
            publisher=publisher,
            topics=topics,
            uploading=uploading,
            calling=calling,
            clock=clock,
            new_id=random_id,
        )
        jobs = Jobs(
            clients=clients,
            answers=answers,
            finished=FinishedJobs(results, enrichments),
            answer_timeout_seconds=settings.gateway.answer_timeout_seconds,
        )
        checks = {"kafka": publisher.is_up, "bucket": BucketProbe(s3, s3.bucket).is_up}
        if archive is not None:
            checks[ARCHIVE_DEPENDENCY] = archive.reads.is_up
        models = ServedModels.of(settings.gateway.models, model=settings.whisper.model)
        dependencies = Dependencies(checks, checking, clock=clock)
        threads = {"publisher": lambda: publisher.is_alive, "answers": states.is_followed}
        health = gateway_health(settings, checks, threads, checking, clock=clock)
        async with opened_gate(settings, store, clock=clock) as gate:
            yield Services(
                jobs,
                dependencies,
                health,
                states.hub,
                states,
                models=models,
                subtitles=settings.subtitles,
                job_services=job_services(
                    clients,
                    results,
                    enrichments,
                    deletions,
                    s3=s3,
                    store=store,
                    listening=listening,
                    settings=settings,
                ),
                archive=archive,
                gate=gate,
            )


def _interactive(settings: S3Settings) -> S3Settings:
    """Limit the waits and the memory of requests, for which clients wait."""
    return settings.model_copy(
        update={
            "timeout_seconds": min(settings.timeout_seconds, STORE_TIMEOUT_SECONDS),
            "part_size_bytes": min(settings.part_size_bytes, UPLOAD_PART_BYTES),
        }
    )
