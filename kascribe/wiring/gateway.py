"""The wiring of the gateway: HTTP in front, the bucket and Kafka behind."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from typing import Final

from consumers.kafka.follower import FollowerThread
from consumers.s3 import BucketProbe
from kascribe.process.shutdown import ended_by_signals
from producers.finished_jobs import FinishedJobs
from producers.gateway.answers import PendingAnswers
from producers.gateway.app import Services
from producers.gateway.health import Dependencies
from producers.gateway.jobs import Jobs
from producers.gateway.server import FINISH_SECONDS, REFUSE_SECONDS, GatewayServer
from producers.results import EnrichmentResults, ResultStore
from producers.s3 import create_client
from producers.shared_publisher import SharedPublisher
from producers.topics import ensure_topics
from producers.uploads import PARTS_IN_FLIGHT, Uploads
from schemas.clock import SystemClock
from schemas.errors import KascribeError
from schemas.kafka.topics import Topics
from schemas.settings import S3Settings, Settings

CLOSE_SECONDS: Final = 5.0
"""For the calls in progress on its threads, after the server has ended."""

UPLOADING_THREADS: Final = 16
UPLOAD_PART_BYTES: Final = 5 * 1024**2
"""S3's smallest. An upload holds four parts, so all threads together hold 320 MiB at most."""

CALLING_THREADS: Final = 16
CHECKING_THREADS: Final = 2
"""One for each service."""

STORE_CONNECTIONS: Final = UPLOADING_THREADS * PARTS_IN_FLIGHT + CALLING_THREADS
STORE_TIMEOUT_SECONDS: Final = 10.0
"""For one connect or read, each tried three times: short, because a client waits."""

RECONNECT_SECONDS: Final = 2.0
"""Before the answers are followed again after a failure of the broker."""


def run_gateway(settings: Settings) -> None:
    """Serve until SIGTERM, then give waiting requests a few seconds more. Blocks.

    Raises ConfigurationError when no broker answers, topics are missing and may not be created, or the address
    cannot be listened on; KascribeError when the clients behind it cannot be opened.
    """
    topics = Topics(settings.kafka.topic_prefix)
    ensure_topics(settings.kafka, dict.fromkeys(topics.all, settings.kafka.topic_partitions))
    server = gateway_server(settings)
    with ended_by_signals(limit_seconds=FINISH_SECONDS + REFUSE_SECONDS + CLOSE_SECONDS) as shutdown:
        shutdown.pass_to(server.stop)
        server.run()
    if not server.started:
        raise KascribeError("the gateway did not start; its log says why")


def gateway_server(settings: Settings) -> GatewayServer:
    """Build the server with the services of these settings behind it, not yet started."""
    return GatewayServer(settings.gateway, open_services=partial(opened_services, settings))


@asynccontextmanager
async def opened_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the services behind the routes while the server runs. Raises DependencyDown without a broker."""
    clock = SystemClock()
    topics = Topics(settings.kafka.topic_prefix)
    answers = PendingAnswers(topics, asyncio.get_running_loop())
    s3 = _interactive(settings.s3)
    store = create_client(s3, connections=STORE_CONNECTIONS)
    with (
        # Closed last: a cancellation that a thread is publishing then is still confirmed by the broker.
        closing(SharedPublisher(settings.kafka)) as publisher,
        ThreadPoolExecutor(UPLOADING_THREADS, "uploading") as uploading,
        ThreadPoolExecutor(CALLING_THREADS, "calling") as calling,
        # Own pool, so that a hung check cannot starve requests.
        ThreadPoolExecutor(CHECKING_THREADS, "checking") as checking,
        _following(answers, settings),
    ):
        jobs = Jobs(
            uploads=Uploads(s3, client=store),
            publisher=publisher,
            answers=answers,
            finished=FinishedJobs(ResultStore(s3, client=store), EnrichmentResults(s3, client=store)),
            topics=topics,
            uploading=uploading,
            calling=calling,
            answer_timeout_seconds=settings.gateway.answer_timeout_seconds,
            clock=clock,
            new_id=lambda: uuid.uuid4().hex,
        )
        checks = {"kafka": publisher.is_up, "bucket": BucketProbe(s3, s3.bucket).is_up}
        yield Services(jobs, Dependencies(checks, checking, clock=clock))


def _interactive(settings: S3Settings) -> S3Settings:
    """Limit the waits and the memory of requests, for which clients wait."""
    return settings.model_copy(
        update={
            "timeout_seconds": min(settings.timeout_seconds, STORE_TIMEOUT_SECONDS),
            "part_size_bytes": min(settings.part_size_bytes, UPLOAD_PART_BYTES),
        }
    )


@contextmanager
def _following(answers: PendingAnswers, settings: Settings) -> Iterator[None]:
    """Offer every record of the answer topics to ``answers``, from before the first request on.

    Answers missed while the broker is down are found in the bucket.
    """
    topics = (*answers.topics.answers, answers.topics.cancellations)
    follower = FollowerThread(
        settings.kafka, topics, answers.offer, name="answers", reconnect_seconds=RECONNECT_SECONDS
    )
    follower.connect()
    follower.start()
    try:
        yield
    finally:
        follower.stop()
