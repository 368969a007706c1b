"""Gateways on real sockets, before real stages in real runtimes on an embedded broker."""

import http.client
import json
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from consumers.cancellations import Cancellations
from consumers.enricher.enrich import EnrichStage
from consumers.enricher.transcripts import StoredTranscripts
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.ports import SpeechToText
from consumers.transcriber.transcribe import TranscribeStage
from kascribe.wiring.consumer import listening_for_cancellations
from kascribe.wiring.gateway import gateway_server
from models.vllm.enricher import Enricher
from producers.results import EnrichmentResults, ResultStore
from producers.topics import ensure_topics
from schemas.kafka.topics import Topics, dead_letter_topic, retry_topic
from schemas.settings import GatewaySettings, S3Settings, Settings, VllmSettings
from tests.flow.running import Running, running, settings_for
from tests.sound.wav_listener import WavListener
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOPICS: Final = Topics()
RETRY_DELAY_SECONDS: Final = 1
PARTITIONS: Final = 4


@dataclass(frozen=True, slots=True)
class Response:
    """A response; the headers' names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        """The reason of a failure."""
        assert self.body["success"] is False, self.body
        assert isinstance(self.body["error"]["message"], str)
        return str(self.body["error"]["reason"])


def multipart(file: bytes | None, *, name: str = "audio.wav", **fields: str | Sequence[str]) -> tuple[bytes, str]:
    """Build a form's body and its content type."""
    boundary = uuid.uuid4().hex
    parts = []
    if file is not None:
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: audio/wav'
        parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + file + b"\r\n")
    for field_name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            head = f'Content-Disposition: form-data; name="{field_name}"'
            parts.append(f"--{boundary}\r\n{head}\r\n\r\n{value}\r\n".encode())
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Client:
    """A client of a gateway on loopback; each request has its own connection. Safe between threads."""

    def __init__(self, port: int, *, timeout_seconds: float = 60.0) -> None:
        self.port = port
        self._timeout_seconds = timeout_seconds

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send one request and return the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout_seconds)
        try:
            connection.request(method, path, body, dict(headers or {}))  # type: ignore[arg-type]
            answer = connection.getresponse()
            return Response(
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                json.loads(answer.read()),
            )
        finally:
            connection.close()

    def status(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> int:
        """Send one request and return the status of an answer that is no JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout_seconds)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            return connection.getresponse().status
        finally:
            connection.close()

    def post(
        self,
        path: str,
        file: bytes | None,
        *,
        headers: Mapping[str, str] | None = None,
        name: str = "audio.wav",
        **fields: str | Sequence[str],
    ) -> Response:
        """Post a form with a file, as ``curl -F`` sends it."""
        body, content_type = multipart(file, name=name, **fields)
        return self.request("POST", path, body, {"Content-Type": content_type, **(headers or {})})

    def begin(
        self, path: str, file: bytes, *, headers: Mapping[str, str] | None = None, **fields: str
    ) -> socket.socket:
        """Send a whole request and leave its answer unread."""
        body, content_type = multipart(file, **fields)
        lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
        head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}"]
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", *lines, "", ""]).encode() + body)
        return connection


class Gateway(Client):
    """One replica, on its own thread."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(port=0)
        self.server = gateway_server(settings)
        self.thread = threading.Thread(target=self.server.run, name="gateway", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        eventually(lambda: self.server.started, timeout_seconds=20, what="the gateway's start")
        self.port = self.server.port
        return self

    def __exit__(self, *_: object) -> None:
        self.server.finish_seconds = min(self.server.finish_seconds, 0.2)
        self.stop()
        self.thread.join(20)
        assert not self.thread.is_alive(), "the gateway did not stop"

    def stop(self) -> None:
        """Stop the server as SIGTERM does."""
        self.server.should_exit = True

    @property
    def waiting(self) -> int:
        """The number of requests that wait for an answer."""
        return len(self.server.config.app.state.services.jobs.answers)  # type: ignore[union-attr]

    @property
    def streams(self) -> int:
        """The number of event streams that have caught up and wait for events."""
        return len(self.server.config.app.state.services.hub)  # type: ignore[union-attr]

    @property
    def requests_in_progress(self) -> int:
        """The number of requests that the server has begun and not ended."""
        return len(self.server.server_state.tasks)


@dataclass
class GatewayBench:
    """A broker, a bucket and consumers; ``gateway`` adds a replica."""

    settings: Settings
    client: "S3Client"
    engine: WavListener = field(default_factory=WavListener)
    _enricher: Running | None = None
    _opened: ExitStack = field(default_factory=ExitStack)

    def gateway(self, *, settings: Settings | None = None, **changed: object) -> Gateway:
        """Start a replica that serves until the bench is closed; ``changed`` are fields of GatewaySettings."""
        given = settings or self.settings
        front = given.gateway.model_copy(update={"port": 0, **changed})
        return self._opened.enter_context(Gateway(given.model_copy(update={"gateway": front})))

    def start_transcriber(
        self, *, partitions: int = 2 * 2 * PARTITIONS, engine: SpeechToText | None = None
    ) -> None:
        """Start the transcriber; wait until it has so many partitions of its topics and their retry topics.

        ``engine`` takes the place of the bench's own.
        """
        s3 = self.settings.s3
        fetcher = ObjectFetcher(s3, client=self.client)
        self._opened.callback(fetcher.close)
        stage = TranscribeStage(
            fetcher,
            ResultStore(s3, client=self.client),
            engine or self.engine,
            topics=TOPICS,
            settings=s3,
            cancellations=self._cancellations(),
        )
        started = self._opened.enter_context(running(stage, self.settings))
        started.wait_until_joined(partitions=partitions)

    def start_enricher(self, base_url: str) -> None:
        """Start the enricher before a language model server, with a timeout longer than any test."""
        s3 = self.settings.s3
        vllm = VllmSettings(base_url=base_url, timeout_seconds=300.0, attempts=1)
        results = EnrichmentResults(s3, client=self.client)
        model = self._opened.enter_context(Enricher(vllm, note_store=results))
        stage = EnrichStage(
            StoredTranscripts(s3, client=self.client),
            results,
            model,
            topics=TOPICS,
            settings=vllm,
            cancellations=self._cancellations(),
        )
        self._enricher = self._opened.enter_context(running(stage, self.settings))
        self._enricher.wait_until_joined(partitions=2 * 2 * PARTITIONS)

    @property
    def transcripts_settled(self) -> float:
        """The number of records of transcripts that the enricher completed, or found to be in flight already."""
        enricher, name = self._enricher, "kascribe_records_settled_total"
        assert enricher is not None
        outcomes = ("completed", "joined")
        return sum(enricher.sample(name, topic=TOPICS.transcripts, outcome=outcome) for outcome in outcomes)

    def close(self) -> None:
        """Stop everything that was started, in reverse order."""
        self.engine.gate.set()
        self._opened.close()

    def _cancellations(self) -> Cancellations:
        return self._opened.enter_context(listening_for_cancellations(self.settings))


@contextmanager
def gateway_bench(
    bootstrap_servers: str, s3: S3Settings, client: "S3Client", *, protocol: str = "classic"
) -> Iterator[GatewayBench]:
    """Open a bench without consumers yet, on a broker that has its topics."""
    settings = settings_for(bootstrap_servers, protocol=protocol, retry_delays_seconds=(RETRY_DELAY_SECONDS,))
    settings = settings.model_copy(update={"s3": s3, "gateway": GatewaySettings(port=0)})
    read = (TOPICS.references, TOPICS.objects, TOPICS.transcripts, TOPICS.enrich_requests)
    retries = [retry_topic(topic, RETRY_DELAY_SECONDS) for topic in read]
    letters = [dead_letter_topic(topic) for topic in read]
    ensure_topics(settings.kafka, dict.fromkeys([*TOPICS.all, *retries, *letters], PARTITIONS))
    bench = GatewayBench(settings, client)
    try:
        yield bench
    finally:
        bench.close()
