"""How event streams end when a client leaves, does not read, or the gateway stops."""

import re
import socket
import time

import pytest

from producers.gateway.connections import protocol
from producers.gateway.events.sse import EventStream
from producers.shared_publisher import SharedPublisher
from schemas.clock import SystemClock
from schemas.events import Phase, ProgressEvent
from schemas.identity import job_id
from schemas.kafka.partitions import partition_of
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.wire import encode
from tests.contract.transcriber.stage_jobs import TRACE
from tests.flow.events.event_client import JOB, Reader, exists, reading, submit
from tests.flow.gateway import PARTITIONS, TOPICS, Gateway, GatewayBench
from tests.support.waiting import eventually

EVENTS = f"/v1/jobs/{JOB}/events"
EVENT_COUNT = 3_500
"""Of four kilobytes each: more than sockets and a queue hold, and less than the embedded broker keeps."""

JOBS = {partition_of(job.encode(), PARTITIONS): job for job in map(job_id, map(str, range(99)))}


def test_a_client_that_disconnects_frees_its_stream_at_once(bench: GatewayBench) -> None:
    """Nothing of it is left while its job goes on."""
    gateway = bench.gateway()
    bench.engine.gate.clear()
    submit(bench)
    eventually(lambda: bench.engine.running, timeout_seconds=20)
    exists(gateway)
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        eventually(lambda: gateway.streams == 1, timeout_seconds=20)
    eventually(lambda: gateway.streams == 0 and not gateway.requests_in_progress, timeout_seconds=5)
    assert bench.engine.running == 1


def test_a_gateway_that_stops_ends_its_streams_and_is_not_held_up(bench: GatewayBench) -> None:
    """Streams of jobs that go on, and those of tenants, which have no end."""
    gateway = bench.gateway()
    bench.engine.gate.clear()
    submit(bench)
    exists(gateway)
    with reading(gateway, EVENTS) as job, reading(gateway, "/v1/events") as tenant:
        job.until("decoding")
        eventually(lambda: gateway.streams == 2, timeout_seconds=20)
        begun = time.monotonic()
        gateway.stop()
        gateway.thread.join(8)
        assert not gateway.thread.is_alive()
        assert time.monotonic() - begun < 5
        job.until_end()
        tenant.until_end()
        assert (job.error, tenant.error) == (None, None)


def test_a_reader_that_stalls_is_cut_off_and_resumes_without_a_gap(
    bench: GatewayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads what had been sent to it, and a last event that says why; with its last id it gets the rest."""
    # Until every event is there, which takes a slow machine longer than a client may take to read.
    monkeypatch.setattr(EventStream, "send_seconds", 300.0)
    monkeypatch.setattr(protocol, "SEND_STALL_SECONDS", 300.0)
    gateway, count = bench.gateway(), EVENT_COUNT
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", gateway.port))
        connection.settimeout(60)
        connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        eventually(lambda: gateway.streams == 1, timeout_seconds=20)
        publish_progress(bench, count)
        others = read_all(gateway, ".".join("0" * PARTITIONS), count)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    ids = re.findall(rb"^id: (\S+)$", received, re.MULTILINE)
    texts = re.findall(rb'"text":"(\d+) ', received)
    assert b"event: cut_off" in received
    assert b'"reason":"slow_reader"' in received
    assert 0 < len(texts) < count
    assert received.rstrip().endswith(b"0")  # the end of a complete body
    eventually(lambda: gateway.streams == 0, timeout_seconds=20)
    rest = read_all(gateway, ids[-1].decode(), count - len(texts))
    assert sorted([int(text) for text in texts] + rest) == list(range(count))
    assert sorted(others)[-count:] == list(range(count))


def test_a_client_that_never_reads_is_given_up(bench: GatewayBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is closed, and nothing of it is left."""
    monkeypatch.setattr(EventStream, "send_seconds", 0.5)
    gateway = bench.gateway()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", gateway.port))
        connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: gateway.streams == 1, timeout_seconds=20)
        publish_progress(bench, EVENT_COUNT)
        eventually(
            lambda: gateway.streams == 0 and not gateway.requests_in_progress,
            timeout_seconds=30,
            what="the end of the stream",
        )


def read_all(gateway: Gateway, after: str, count: int) -> list[int]:
    """Read the numbers of at least so many events after a cursor, as an EventSource does: it resumes when cut off.

    A loaded machine cuts off this reader as well, which shares its processor with the gateway.
    """
    found: list[int] = []

    def has_all() -> bool:
        nonlocal after
        with reading(gateway, "/v1/events", after=after) as reader:
            eventually(
                lambda: reader.has_ended or len(found) + len(numbers(reader)) >= count,
                timeout_seconds=120,
                what="the events of a reader",
            )
            assert reader.error is None, reader.error
            found.extend(numbers(reader))
            after = reader.last_id
        return len(found) >= count

    eventually(has_all, timeout_seconds=180, what="the events of all connections")
    return found


def numbers(reader: Reader) -> list[int]:
    """Return the numbers of the events that a reader has; the one that ends a stream has none."""
    return [int(body["text"].split()[0]) for body in reader.bodies if "text" in body]


def publish_progress(bench: GatewayBench, count: int) -> None:
    """Publish events of one job in each partition; the text begins with the number."""
    publisher = SharedPublisher(bench.settings.kafka)
    try:
        for start in range(0, count, 500):
            publisher.publish([_progress(number) for number in range(start, start + 500)])
    finally:
        publisher.close()


def _progress(number: int) -> OutgoingRecord:
    event = ProgressEvent(
        event_id=f"e{number}",
        occurred_at=SystemClock().now(),
        job_id=JOBS[number % PARTITIONS],
        phase=Phase.TRANSCRIBING,
        stage="transcriber",
        text=f"{number} {'x' * 3_500}",
    )
    return encode(event, topic=TOPICS.progress, key=event.job_id, trace=TRACE)
