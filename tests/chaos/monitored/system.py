"""The real servers, all roles beside them, a Prometheus that scrapes them, and clients that keep them at work."""

import json
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import SecretStr

from deploy.monitoring.server import Prometheus
from deploy.stack import Stack, default_cache
from deploy.vllm.server import VllmServer
from deploy.vllm.server import down as vllm_down
from deploy.vllm.server import up as vllm_up
from models.selftest import SELFTEST_MODEL_NAME, clips
from producers.publisher import Publisher
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings
from tests.demo.role import RoleProcess, free_port
from tests.sound.recordings import FORMATS, read, write
from tests.support.waiting import eventually

CONTEXT_TOKENS: Final = 2_048
WORK_SECONDS: Final = 3.0
"""Between two recordings: little enough for two busy cores."""

NOISE: Final = 1e-4
"""Added to each recording, so that none is the same audio as another."""

REQUEST_SECONDS: Final = 20.0
READY_SECONDS: Final = 300.0
VLLM_TIMEOUT_SECONDS: Final = 20
"""Instead of two minutes for one request: the time after which a frozen server counts as down."""


class ReconcilerProcess(RoleProcess):
    """``kascribe reconcile``, as the other roles are started."""

    def __init__(self, environment: Mapping[str, str], *, log: Path) -> None:
        super().__init__("reconciler", environment, log=log)
        self._command = [sys.executable, "-m", "kascribe", "reconcile", "--every", "10s", "--json"]


@dataclass(frozen=True)
class Monitored:
    """A running system. ``ports`` are those at which each role serves its metrics."""

    stack: Stack
    prometheus: Prometheus
    ports: Mapping[str, int]
    vllm_state: Path
    vllm: VllmServer

    def exposition(self, role: str) -> bytes:
        """Return what a role serves now."""
        url = f"http://127.0.0.1:{self.ports[role]}/metrics"
        with urllib.request.urlopen(url, timeout=REQUEST_SECONDS) as answer:
            return bytes(answer.read())


@contextmanager
def monitored(directory: Path, *, rules: str, interval_seconds: int) -> Iterator[Monitored]:
    """Run everything within the context, at work. The servers' data is removed afterwards, the logs stay."""
    with ExitStack() as resources:
        stack = Stack.up(directory / "stack")
        resources.callback(stack.down, purge=True)
        state = directory / "vllm"
        vllm = vllm_up(cache=default_cache(), state=state, context_tokens=CONTEXT_TOKENS)
        resources.callback(vllm_down, state)
        gateway_port = free_port()
        environment = _environment(stack, vllm, directory, gateway_port)
        roles: list[RoleProcess] = [
            RoleProcess(role, environment, log=directory / f"{role}.log")
            for role in ("transcriber", "enricher", "archive", "notifier", "gateway")
        ]
        roles.append(ReconcilerProcess(environment, log=directory / "reconciler.log"))
        ports = {role.role: role.health_port for role in roles} | {"gateway": gateway_port}
        for role in roles:
            # One after the other: all at once, their starts would slow each other down.
            resources.enter_context(role)
            _await_ready(ports[role.role], role)
        prometheus = resources.enter_context(
            Prometheus(directory / "prometheus", ports, rules=rules, interval_seconds=interval_seconds)
        )
        eventually(lambda: prometheus.targets_up() == set(ports), timeout_seconds=60, what="every role scraped")
        resources.enter_context(_at_work(stack, gateway_port, directory))
        yield Monitored(stack, prometheus, ports, state, vllm)


def _environment(stack: Stack, vllm: VllmServer, directory: Path, gateway_port: int) -> dict[str, str]:
    return {
        **stack.environment,
        "KASCRIBE_WHISPER_MODEL": SELFTEST_MODEL_NAME,
        "KASCRIBE_VLLM_BASE_URL": vllm.base_url,
        "KASCRIBE_VLLM_TIMEOUT_SECONDS": str(VLLM_TIMEOUT_SECONDS),
        "KASCRIBE_ARCHIVE_URL": f"sqlite:///{directory / 'archive.db'}",
        "KASCRIBE_WEBHOOKS_SECRET": "whsec_" + "bW9uaXRvcmVkLW1vbml0b3JlZC1tb25pdG9yZWQ=",
        "KASCRIBE_GATEWAY_PORT": str(gateway_port),
        "KASCRIBE_LOG_FORMAT": "json",
    }


def _await_ready(port: int, role: RoleProcess) -> None:
    url = f"http://127.0.0.1:{port}/health/ready"

    def is_ready() -> bool:
        assert role.exit_code is None, f"{role.role} ended: {role.log.read_text()[-4_000:]}"
        with suppress(OSError), urllib.request.urlopen(url, timeout=REQUEST_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False

    eventually(is_ready, timeout_seconds=READY_SECONDS, what=f"{role.role} ready ({role.log})")


@contextmanager
def _at_work(stack: Stack, gateway_port: int, directory: Path) -> Iterator[None]:
    """Publish references and post files within the context; what an outage refuses is left out."""
    stop = threading.Event()
    sounds = _Sounds(directory)
    threads = [
        threading.Thread(target=_repeat, args=(stop, work), daemon=True)
        for work in (_References(stack, sounds).publish, _Uploads(gateway_port, sounds).post)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()


def _repeat(stop: threading.Event, work: Callable[[], None]) -> None:
    while not stop.wait(WORK_SECONDS):
        with suppress(Exception):  # servers are away on purpose
            work()


class _Sounds:
    """Recordings of the self-test, each a little different. Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._clips = [read(clip.path) for clip in clips()]
        self._random = np.random.default_rng(1)
        self._lock = threading.Lock()

    def new(self) -> bytes:
        """Return the next one as a FLAC file."""
        with self._lock:
            clip = self._clips[int(self._random.integers(len(self._clips)))]
            noise = self._random.normal(0.0, NOISE, clip.shape).astype(np.float32)
            return write(self._directory / "sound.flac", clip + noise, FORMATS["flac"]).read_bytes()


class _References:
    """A caller that stores recordings and publishes references, of both lanes, that request an enrichment."""

    def __init__(self, stack: Stack, sounds: _Sounds) -> None:
        self._stack, self._sounds, self._count = stack, sounds, 0
        self._s3 = stack.s3()

    def publish(self) -> None:
        """Request one transcript and its enrichment."""
        self._count += 1
        name = uuid.uuid4().hex
        self._s3.put_object(Bucket=self._stack.bucket, Key=f"calls/{name}.flac", Body=self._sounds.new())
        reference = {
            "event_id": name,
            "occurred_at": datetime.now(UTC).isoformat(),
            "idempotency_key": name,
            "uri": f"s3://{self._stack.bucket}/calls/{name}.flac",
            "lane": "interactive" if self._count % 3 == 0 else "bulk",
            "enrich": {"instruction": "Summarize."},
        }
        # The client's own lines about a broker that is away on purpose would fill the terminal.
        quiet = KafkaSettings(
            bootstrap_servers=self._stack.bootstrap_servers, properties={"log_level": SecretStr("0")}
        )
        publisher = Publisher(quiet)
        try:
            publisher.publish([OutgoingRecord(Topics().references, name.encode(), json.dumps(reference).encode())])
        finally:
            publisher.close()


class _Uploads:
    """A client of the gateway."""

    def __init__(self, port: int, sounds: _Sounds) -> None:
        self._url, self._sounds = f"http://127.0.0.1:{port}/transcribe", sounds

    def post(self) -> None:
        """Post one file and wait for its transcript."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.flac"\r\n\r\n'
        body = head.encode() + self._sounds.new() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 - loopback
            answer.read()
