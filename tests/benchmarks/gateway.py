"""What the gateway adds to a short clip's latency, and what 500 uploads at once cost it: ``make bench-gateway``.

Latency is paired: each round sends the same clip once through POST /transcribe and once by hand (put the object,
publish a reference, follow the topic until the transcript event is there), in alternating order, before the same
transcriber. The engine only measures how long the clip is, so what is left is the way there and back. The gateway
is a process of its own. Each round sends the clip by hand a second time: the differences between the two are the
noise of the machine and of the servers. Kafka and MinIO are real; ``--embedded`` takes those inside this process,
whose broker answers a fetch that finds nothing no sooner than its wait is over, so that latencies differ by that
at random.
"""

import argparse
import io
import logging
import math
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

from consumers.kafka.follower import Follower, Start
from deploy.stack import Stack, default_cache
from kascribe.process.logs import configure_logs
from kascribe.wiring.gateway import UPLOAD_PART_BYTES, UPLOADING_THREADS
from producers.kafka import produce, producer_configuration
from producers.s3 import create_client
from producers.uploads import PARTS_IN_FLIGHT, Uploads
from schemas.events import AudioReference
from schemas.identity import job_id
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.options import Lane
from schemas.settings import KafkaSettings, LogSettings, S3Settings
from tests.flow.front_doors.abuse.gateway_process import GatewayProcess, gateway_process
from tests.flow.gateway import TOPICS, Client, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import credentials, running_object_store

CLIP_SECONDS: Final = 3
WARM_UP_ROUNDS: Final = 5
GOAL_SECONDS: Final = 0.020
ANSWER_LIMIT_SECONDS: Final = 60.0

MEMORY_OF_THREADS_BYTES: Final = UPLOADING_THREADS * (PARTS_IN_FLIGHT + 1) * UPLOAD_PART_BYTES
MEMORY_PER_REQUEST_BYTES: Final = 1024**2
"""What of an upload is not spooled to the disk, and what the request itself costs."""

IN_MEMORY: Final = Path("/dev/shm")
"""Of the servers' data, if it exists: both ways write as much, and a disk's noise hides the difference."""


class ByHand:
    """The same request without a gateway: one client each for the bucket, producing and reading events."""

    def __init__(self, kafka: KafkaSettings, s3: S3Settings) -> None:
        self._uploads = Uploads(s3)
        self._producer = Producer({**producer_configuration(kafka), "linger.ms": 0})
        self._follower = Follower(kafka, (TOPICS.transcripts,), start=Start.NOW)

    def transcribe(self, clip: bytes) -> None:
        """Block until the transcript's event is there."""
        key = uuid.uuid4().hex
        stored = self._uploads.upload(io.BytesIO(clip), name="audio.wav", content_type="audio/wav")
        reference = AudioReference(
            event_id=key,
            occurred_at=datetime.now(UTC),
            uri=stored.uri,
            etag=stored.etag,
            idempotency_key=key,
            lane=Lane.INTERACTIVE,
        )
        wanted = job_id(key)
        produce(self._producer, encode(reference, topic=TOPICS.references, key=wanted, trace=Trace.start()))
        self._producer.flush(10)
        deadline = time.monotonic() + ANSWER_LIMIT_SECONDS
        while time.monotonic() < deadline:
            if any(record.key == wanted.encode() for record in self._follower.records(0.2)):
                return
        raise AssertionError("no transcript came")

    def close(self) -> None:
        """Stop reading."""
        self._follower.close()


def transcribe(gateway: Client, clip: bytes) -> None:
    """Send one request through the gateway."""
    answer = gateway.post("/transcribe", clip)
    if answer.status != 200:
        raise AssertionError(answer.body)


def timed(act: Callable[..., None], *arguments: object) -> float:
    """Return the seconds that a call took."""
    began = time.perf_counter()
    act(*arguments)
    return time.perf_counter() - began


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def measure_latency(gateway: GatewayProcess, by_hand: ByHand, rounds: int) -> bool:
    """Print what the gateway adds; return whether that is within the goal."""
    pairs: list[tuple[float, float]] = []
    noise: list[float] = []
    worked_seconds = 0.0
    for number in range(WARM_UP_ROUNDS + rounds):
        # Bytes of their own: the same audio again would be answered from the first result.
        clips = [wav_bytes(CLIP_SECONDS)[:-16] + uuid.uuid4().bytes for _ in range(3)]
        direct = timed(by_hand.transcribe, clips[1]) if number % 2 else 0.0
        before_seconds = gateway.processor_seconds()
        through = timed(transcribe, gateway.client, clips[0])
        after_seconds = gateway.processor_seconds()
        direct = direct or timed(by_hand.transcribe, clips[1])
        again = timed(by_hand.transcribe, clips[2])
        if number >= WARM_UP_ROUNDS:
            pairs.append((through, direct))
            noise.append(again - direct)
            worked_seconds += after_seconds - before_seconds
    added = [through - direct for through, direct in pairs]
    print(f"{len(pairs)} pairs of a clip of {CLIP_SECONDS} s (milliseconds)      p50      p95")
    rows = {
        "POST /transcribe": [p[0] for p in pairs],
        "by hand": [p[1] for p in pairs],
        "added, paired": added,
        "by hand twice, paired": noise,
    }
    for name, values in rows.items():
        print(f"  {name:45} {1000 * percentile(values, 0.5):8.1f} {1000 * percentile(values, 0.95):8.1f}")
    quantile = percentile(rows["POST /transcribe"], 0.95) - percentile(rows["by hand"], 0.95)
    print(f"  {'p95 of one less p95 of the other':45} {'':8} {1000 * quantile:8.1f}")
    print(f"  {'processor time of the gateway per request':45} {1000 * worked_seconds / rounds:8.1f}")
    return percentile(added, 0.95) <= GOAL_SECONDS


def measure_uploads(gateway: GatewayProcess, uploads: int, upload_bytes: int) -> bool:
    """Send many requests at once; return whether all were answered, with the gateway's memory within its bound."""
    clips = [wav_bytes(upload_bytes / 16_000)[:-16] + uuid.uuid4().bytes for _ in range(uploads)]
    transcribe(gateway.client, clips[0])
    before = gateway.memory_bytes("VmRSS")
    began = time.perf_counter()
    with ThreadPoolExecutor(uploads) as clients:
        responses = [clients.submit(gateway.client.post, "/transcribe", clip) for clip in clips]
        wait(responses)
        seconds = time.perf_counter() - began
    statuses = [each.result().status for each in responses if each.exception() is None]
    good = statuses.count(200)
    print(f"{uploads} uploads of {upload_bytes / 1e6:.1f} MB at once: {good} answered, {uploads - good} failed")
    print(f"  {seconds:.1f} s, {uploads / seconds:.1f} requests/s on {os.cpu_count()} cores")
    peak = gateway.memory_bytes("VmHWM")
    limit = MEMORY_OF_THREADS_BYTES + uploads * MEMORY_PER_REQUEST_BYTES
    bounded = peak - before <= limit
    print(
        f"  the gateway's resident memory: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most, "
        f"{(peak - before) / 1e6:+.0f} MB; bound ({limit / 1e6:.0f} MB): {'met' if bounded else 'missed'}"
    )
    return good == uploads and bounded


@contextmanager
def embedded() -> Iterator[GatewayBench]:
    """Run broker and bucket inside this process."""
    with (
        MockCluster() as broker,
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as bench,
    ):
        yield bench


@contextmanager
def on_stack() -> Iterator[GatewayBench]:
    """Run a real Kafka and a real MinIO."""
    # The stack's topics would have another number of partitions than this benchmark waits for.
    parent = IN_MEMORY if IN_MEMORY.is_dir() else default_cache()
    print(f"the servers' data: {parent}")
    stack = Stack.up(parent / "kascribe-bench-gateway", topics=(), notify_topic="bench.objects")
    environment = stack.environment
    try:
        with credentials(environment):
            s3 = S3Settings(
                endpoint_url=environment["KASCRIBE_S3_ENDPOINT_URL"], bucket=environment["KASCRIBE_S3_BUCKET"]
            )
            servers = environment["KASCRIBE_KAFKA_BOOTSTRAP_SERVERS"]
            with gateway_bench(servers, s3, create_client(s3), protocol="consumer") as bench:
                yield bench
    finally:
        stack.down(purge=True)


def main() -> int:
    """Return 1 when a goal was missed."""
    configure_logs(LogSettings(level="warning"))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedded", action="store_true", help="no real Kafka and MinIO")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--upload-bytes", type=int, default=480_000)
    arguments = parser.parse_args()
    with (embedded if arguments.embedded else on_stack)() as bench:
        bench.start_transcriber()
        with (
            tempfile.TemporaryDirectory() as directory,
            gateway_process(bench.settings, Path(directory) / "log") as gateway,
        ):
            print(f"load of the machine, averaged over a minute: {os.getloadavg()[0]:.1f}")
            by_hand = ByHand(bench.settings.kafka, bench.settings.s3)
            quick = measure_latency(gateway, by_hand, arguments.rounds)
            by_hand.close()
            good = measure_uploads(gateway, arguments.uploads, arguments.upload_bytes)
    print(f"latency goal ({1000 * GOAL_SECONDS:.0f} ms at p95): {'met' if quick else 'missed'}")
    return 0 if quick and good else 1


if __name__ == "__main__":
    raise SystemExit(main())
