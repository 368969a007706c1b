"""The gateway, wired: HTTP in front, the bucket and Kafka behind."""

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

import uvicorn

from consumers.enricher.transcripts import StoredTranscripts
from consumers.kafka.follower import FollowerThread
from consumers.s3 import create_probe_client
from kascribe.console.following import answer_topics
from kascribe.process.shutdown import ended_by_signals
from producers.finished_jobs import FinishedJobs
from producers.gateway.answers import Answers
from producers.gateway.app import Behind, create_app
from producers.gateway.health import Dependencies
from producers.gateway.jobs import Jobs
from producers.results import EnrichmentResults, ResultStore
from producers.s3 import create_client
from producers.shared_publisher import SharedPublisher
from producers.topics import ensure_topics
from producers.uploads import PARTS_IN_FLIGHT, Uploads
from schemas.errors import ConfigurationError, KascribeError
from schemas.kafka.topics import Topics
from schemas.settings import S3Settings, Settings

FINISH_SECONDS: Final = 10.0
"""After SIGTERM, for requests whose answer is near; those that still wait then are told to come again."""

TELL_SECONDS: Final = 5
"""After that, for telling them."""

CLOSE_SECONDS: Final = 5.0
"""After that, for what the threads have begun."""

UPLOADING_THREADS: Final = 16
UPLOAD_PART_BYTES: Final = 5 * 1024**2
"""S3's smallest. An upload holds four parts, so all threads together hold 320 MiB at most."""

CALLING_THREADS: Final = 16
CHECKING_THREADS: Final = 2
"""One for each service."""

STORE_CONNECTIONS: Final = UPLOADING_THREADS * PARTS_IN_FLIGHT + CALLING_THREADS
STORE_TIMEOUT_SECONDS: Final = 10.0
"""Of one connect or read, of which there are three: somebody waits."""

RECONNECT_SECONDS: Final = 2.0
"""Before the answers are followed again, after the broker was down."""


def run_gateway(settings: Settings) -> None:
    """Serves until SIGTERM, then lets those who wait have a few seconds more.

    Raises ConfigurationError when no broker answers, topics are missing and may not be created, or the address
    cannot be listened on; KascribeError when the clients behind it cannot be opened.
    """
    topics = Topics(settings.kafka.topic_prefix)
    ensure_topics(settings.kafka, dict.fromkeys(topics.all, settings.kafka.topic_partitions))
    server = GatewayServer(settings)
    with ended_by_signals(limit_seconds=FINISH_SECONDS + TELL_SECONDS + CLOSE_SECONDS) as shutdown:
        shutdown.pass_to(server.stop)
        server.run()
    if not server.started:
        raise KascribeError("the gateway did not start; its log says why")


class GatewayServer(uvicorn.Server):
    """The HTTP server. Requests that wait when it stops are answered, not cut off."""

    def __init__(self, settings: Settings) -> None:
        app = create_app(settings.gateway, start=partial(opened, settings))
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.gateway.host,
                port=settings.gateway.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=int(FINISH_SECONDS) + TELL_SECONDS,
            )
        )
        self.finish_seconds = FINISH_SECONDS
        self._app = app
        self._settings = settings.gateway

    @property
    def port(self) -> int:
        """Where it listens, once it has started."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Asks it to end; asked again, it waits for no request any more. From any thread and signal handlers."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: ``stop`` is how the server hears of them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen."""
        try:
            await super().startup(sockets)
        except SystemExit as ended:
            if not isinstance(ended.__context__, OSError):
                raise KascribeError("the gateway did not start; its log says why") from ended
            # Uvicorn's way to say that the address is taken, after it has closed the clients.
            raise ConfigurationError(
                f"cannot listen on {self._settings.host}:{self._settings.port} ({ended.__context__}); set "
                "KASCRIBE_GATEWAY_PORT to a free port, or KASCRIBE_GATEWAY_HOST to an address of this machine"
            ) from ended

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Waits for the requests that are being answered, for a while."""
        answers = self._app.state.behind.jobs.answers
        telling = asyncio.get_running_loop().call_later(self.finish_seconds, answers.stop)
        try:
            await super().shutdown(sockets)
        finally:
            telling.cancel()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Behind]:
    """What the routes work with, for as long as the server runs. Raises DependencyDown without a broker."""
    topics = Topics(settings.kafka.topic_prefix)
    answers = Answers(topics, asyncio.get_running_loop())
    s3 = _impatient(settings.s3)
    store = create_client(s3, connections=STORE_CONNECTIONS)
    with (
        # Closed last: what the threads are publishing then, such as a withdrawal, still hears the broker's answer.
        closing(SharedPublisher(settings.kafka)) as publisher,
        ThreadPoolExecutor(UPLOADING_THREADS, "uploading") as uploading,
        ThreadPoolExecutor(CALLING_THREADS, "calling") as calling,
        # A check that hangs holds a thread of nobody but its own.
        ThreadPoolExecutor(CHECKING_THREADS, "checking") as checking,
        _following(answers, settings),
    ):
        jobs = Jobs(
            uploads=Uploads(s3, client=store),
            publisher=publisher,
            answers=answers,
            stored=FinishedJobs(ResultStore(s3, client=store), EnrichmentResults(s3, client=store)),
            topics=topics,
            uploading=uploading,
            calling=calling,
            answer_timeout_seconds=settings.gateway.answer_timeout_seconds,
            now=lambda: datetime.now(UTC),
            new_id=lambda: uuid.uuid4().hex,
        )
        bucket = StoredTranscripts(s3.model_copy(update={"results_bucket": None}), client=create_probe_client(s3))
        checks = {"kafka": publisher.is_up, "bucket": bucket.is_up}
        yield Behind(jobs, Dependencies(checks, checking, time.monotonic))


def _impatient(settings: S3Settings) -> S3Settings:
    return settings.model_copy(
        update={
            "timeout_seconds": min(settings.timeout_seconds, STORE_TIMEOUT_SECONDS),
            "part_size_bytes": min(settings.part_size_bytes, UPLOAD_PART_BYTES),
        }
    )


@contextmanager
def _following(answers: Answers, settings: Settings) -> Iterator[None]:
    """Offer every record of the answer topics to ``answers``, from before the first request on.

    Requests find in the bucket what is missed while the broker is down.
    """
    topics = (*answer_topics(answers.topics), answers.topics.cancellations)
    follower = FollowerThread(
        settings.kafka, topics, answers.offer, name="answers", reconnect_seconds=RECONNECT_SECONDS
    )
    follower.connect()
    follower.start()
    try:
        yield
    finally:
        follower.stop()
