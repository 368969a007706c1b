"""A client of event streams that is not ours, and jobs for it to follow."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from producers.shared_publisher import SharedPublisher
from schemas.clock import SystemClock
from schemas.events import AudioReference
from schemas.identity import job_id
from schemas.kafka.wire import encode
from schemas.options import EnrichOptions
from tests.contract.transcriber.stage_jobs import TRACE
from tests.flow.gateway import TOPICS, Gateway, GatewayBench
from tests.sound.wav_listener import wav_bytes
from tests.support.waiting import eventually

KEY: Final = "call-7"
JOB: Final = job_id(KEY)


class Reader:
    """One connection to a stream, read on a thread of its own."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.events: list[ServerSentEvent] = []
        """Those with data."""
        self.last_id = ""
        """As an EventSource keeps it: also of messages without data."""
        self.error: Exception | None = None
        self._client = httpx.Client(timeout=60)
        self._url = url
        self._headers = dict(headers)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether the server has ended the stream."""
        return not self._thread.is_alive()

    @property
    def phases(self) -> list[str]:
        """The names of the events."""
        return [event.event for event in self.events]

    @property
    def received(self) -> list[tuple[str, str, str]]:
        """The id, name and data of each event."""
        return [(event.id, event.event, event.data) for event in self.events]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The events' data."""
        return [json.loads(event.data) for event in self.events]

    def until_open(self) -> None:
        """Wait for the id with which a tenant's stream begins."""
        eventually(lambda: self.last_id or self.error, timeout_seconds=30, what="the stream")
        assert self.error is None, self.error

    def until(self, phase: str) -> None:
        """Wait until an event has come."""
        eventually(lambda: phase in self.phases or self.error, timeout_seconds=30, what=f"the event {phase}")
        assert self.error is None, self.error

    def until_end(self) -> None:
        """Wait until the server has ended the stream."""
        eventually(lambda: self.has_ended, timeout_seconds=30, what="the end of the stream")
        assert self.error is None, self.error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _read(self) -> None:
        try:
            with connect_sse(self._client, "GET", self._url, headers=self._headers) as source:
                for event in source.iter_sse():
                    self.last_id = event.id or self.last_id
                    if event.data:
                        self.events.append(event)
        except (httpx.HTTPError, OSError, ValueError) as error:
            self.error = error


@contextmanager
def reading(gateway: Gateway, path: str, *, after: str | None = None, **headers: str) -> Iterator[Reader]:
    """Follow a stream while the context lasts."""
    cursor = {} if after is None else {"Last-Event-ID": after}
    reader = Reader(f"http://127.0.0.1:{gateway.port}{path}", {**headers, **cursor})
    try:
        yield reader
    finally:
        reader.close()


def exists(gateway: Gateway, path: str = f"/v1/jobs/{JOB}") -> None:
    """Wait until a job of another program exists for a gateway: with its first event."""
    eventually(lambda: gateway.request("GET", path).status == 200, timeout_seconds=20, what="the job")


def submit(
    bench: GatewayBench,
    key: str = KEY,
    *,
    seconds: int = 3,
    tenant: str = "default",
    enrich: EnrichOptions | None = None,
    audio: bytes | None = None,
) -> AudioReference:
    """Put audio in the bucket and publish a reference to it, as another program does."""
    name = f"{key}.wav"
    body = wav_bytes(seconds) if audio is None else audio
    bench.client.put_object(Bucket=bench.settings.s3.bucket, Key=name, Body=body)
    reference = AudioReference(
        event_id=f"reference-{key}",
        occurred_at=SystemClock().now(),
        uri=f"s3://{bench.settings.s3.bucket}/{name}",
        idempotency_key=key,
        tenant=tenant,
        enrich=enrich,
    )
    publisher = SharedPublisher(bench.settings.kafka)
    try:
        publisher.publish([encode(reference, topic=TOPICS.references, key=job_id(key), trace=TRACE)])
    finally:
        publisher.close()
    return reference
