"""Every role talks to the servers of its settings and to nothing else: no usage reports, no hub, no other name."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from models.selftest import SELFTEST_MODEL_NAME, clips
from tests.contract.notifier.webhook_receiver import SECRET, Receiver, receiving
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.demo.role import RoleProcess, free_port
from tests.flow.gateway import Client
from tests.flow.mock_cluster import MockCluster
from tests.flow.network.calls import Address, addresses, launcher
from tests.support.object_store import ObjectStore, running_object_store
from tests.support.waiting import eventually

ROLES: Final = ("transcriber", "enricher", "notifier", "archive")
SECONDS: Final = 120.0
DNS_PORT: Final = 53
REPORT_SECONDS: Final = 12.0
"""onnxruntime 1.32 first connects nine seconds after it was loaded."""


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    """Run an object store."""
    with running_object_store() as each:
        yield each


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver of webhooks."""
    with receiving(Receiver()) as each:
        yield each


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Run a language model server."""
    with running(VllmDouble(context_tokens=4_096, text="An answer.")) as each:
        yield each


def settings(broker: MockCluster, store: ObjectStore, double: VllmDouble, directory: Path) -> dict[str, str]:
    """Return the environment of all roles."""
    return {
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "KASCRIBE_KAFKA_TOPIC_PARTITIONS": "1",
        "KASCRIBE_S3_ENDPOINT_URL": store.endpoint_url,
        "KASCRIBE_S3_BUCKET": store.settings().bucket,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "KASCRIBE_WHISPER_MODEL": SELFTEST_MODEL_NAME,
        "KASCRIBE_VLLM_BASE_URL": double.base_url,
        "KASCRIBE_WEBHOOKS_SECRET": SECRET,
        "KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "KASCRIBE_WEBHOOKS_HTTP_HOSTS": "127.0.0.1",
        "KASCRIBE_ARCHIVE_URL": f"sqlite:///{directory / 'archive.db'}",
        "HOME": str(directory),
    }


def ports(broker: MockCluster, store: ObjectStore, double: VllmDouble, receiver: Receiver) -> dict[str, set[int]]:
    """Return the ports that a role may talk to."""
    kafka = {int(each.rpartition(":")[2]) for each in broker.bootstrap_servers.split(",")}
    bucket, model = (urlsplit(each).port or 0 for each in (store.endpoint_url, double.base_url))
    return {
        "transcriber": kafka | {bucket},
        "enricher": kafka | {bucket, model},
        "notifier": kafka | {bucket, receiver.port},
        "archive": kafka | {bucket},
        "gateway": kafka | {bucket},
        "reconcile": kafka | {bucket},
    }


def run_jobs(gateway: Client, receiver: Receiver) -> None:
    """Transcribe and process a recording, and wait for its webhook."""
    clip = next(clip for clip in clips() if clip.text)
    answer = gateway.post("/transcribe-and-process", clip.path.read_bytes(), instruction="Summarise.")
    assert answer.status == 200, answer.body
    hook = f"http://127.0.0.1:{receiver.port}/in"
    assert gateway.post("/v1/jobs", clip.path.read_bytes(), webhook_url=hook).status == 202
    eventually(lambda: receiver.events, timeout_seconds=SECONDS, what="the webhook")


def foreign(record: Path, allowed: set[int]) -> set[Address]:
    """Return the addresses that are none of the configured servers'.

    The C library orders a name's addresses by connecting a socket of datagrams, which sends nothing, without a
    port.
    """
    return {each for each in addresses(record) if not each.is_loopback or each.port not in allowed | {0}}


def test_a_look_up_of_a_name_would_be_seen(tmp_path: Path) -> None:
    """So that silence below means silence, in children too."""
    look_up = "import socket; socket.getaddrinfo('nowhere.invalid', 80)"
    code = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {look_up!r}], stderr=subprocess.DEVNULL)"
    )
    subprocess.run([*launcher(tmp_path / "record"), sys.executable, "-c", code], check=True)
    seen = eventually(lambda: foreign(tmp_path / "record", {80}), timeout_seconds=SECONDS, what="the look-up")
    assert {each.port for each in seen} == {DNS_PORT}


def test_roles_talk_to_the_servers_of_their_settings_and_to_nothing_else(
    broker: MockCluster, store: ObjectStore, double: VllmDouble, receiver: Receiver, tmp_path: Path
) -> None:
    """All roles over real jobs, decoders included, and for longer than any library waits with its first report."""
    gateway = Client(free_port())
    environment = settings(broker, store, double, tmp_path) | {"KASCRIBE_GATEWAY_PORT": str(gateway.port)}
    records = {role: tmp_path / f"{role}.calls" for role in (*ROLES, "gateway")}
    roles = {
        role: RoleProcess(role, environment, log=tmp_path / f"{role}.log", launcher=launcher(record))
        for role, record in records.items()
    }
    with ExitStack() as processes:
        for process in roles.values():
            processes.enter_context(process)
        for role in ROLES:
            roles[role].wait_until_ready()
        roles["gateway"].wait_until_ready(port=gateway.port)
        run_jobs(gateway, receiver)
        age = _seconds_since_start(roles["transcriber"].pid)
        eventually(
            lambda: _seconds_since_start(roles["transcriber"].pid) > REPORT_SECONDS,
            timeout_seconds=max(1.0, 2 * (REPORT_SECONDS - age)) + 10,
            what="the time of a first report",
        )
    allowed = ports(broker, store, double, receiver)
    assert {role: foreign(record, allowed[role]) for role, record in records.items()} == {
        role: set() for role in records
    }
    reached = {role: {each.port for each in addresses(record)} - {0} for role, record in records.items()}
    assert reached["transcriber"] == allowed["transcriber"]
    assert reached["enricher"] == allowed["enricher"]
    assert receiver.port in reached["notifier"]


def _seconds_since_start(pid: int) -> float:
    ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    return uptime - ticks / os.sysconf("SC_CLK_TCK")


def test_the_reconciler_talks_to_bucket_and_broker(
    broker: MockCluster, store: ObjectStore, double: VllmDouble, receiver: Receiver, tmp_path: Path
) -> None:
    """One run over a bucket with a recording."""
    clip = next(iter(clips()))
    environment = settings(broker, store, double, tmp_path)
    bucket = environment["KASCRIBE_S3_BUCKET"]
    store.client.put_object(Bucket=bucket, Key="calls/a.ogg", Body=clip.path.read_bytes())
    record = tmp_path / "calls"
    made = subprocess.run(
        [*launcher(record), sys.executable, "-m", "kascribe", "reconcile", "--once", "--min-age", "0s"],
        env={**os.environ, **environment, "KASCRIBE_SERVER_PORT": "0"},
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert made.returncode == 0, made.stderr
    allowed = ports(broker, store, double, receiver)["reconcile"]
    assert foreign(record, allowed) == set()
    assert {each.port for each in addresses(record)} - {0} == allowed, made.stdout


def test_the_embedded_stack_talks_to_this_machine_alone(tmp_path: Path) -> None:
    """Broker, store, roles and gateway of `kascribe up`, with the model that comes with it."""
    gateway = Client(free_port())
    record = tmp_path / "calls"
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith(("KASCRIBE_KAFKA", "XDG_"))
    }
    environment |= {
        "HOME": str(tmp_path),
        "KASCRIBE_WHISPER_MODEL": SELFTEST_MODEL_NAME,
        "KASCRIBE_GATEWAY_PORT": str(gateway.port),
    }
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [*launcher(record), sys.executable, "-m", "kascribe", "up"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: _is_ready(process, gateway, tmp_path), timeout_seconds=SECONDS, what="the stack")
        clip = next(clip for clip in clips() if clip.text)
        assert gateway.post("/transcribe", clip.path.read_bytes()).status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    found = addresses(record)
    assert found
    assert [each for each in found if not each.is_loopback or each.port == DNS_PORT] == []


def _is_ready(process: "subprocess.Popen[bytes]", gateway: Client, directory: Path) -> bool:
    assert process.poll() is None, (directory / "up.log").read_text()
    try:
        return gateway.status("GET", "/health/ready") == 200
    except OSError:
        return False
