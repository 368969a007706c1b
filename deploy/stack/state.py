"""What one stack is and where it keeps its things: chosen once, kept in a directory, found again later.

`plan.json` holds what was chosen (ports, cluster id, topics that notifications go to), `processes.json` what
was started, `stack.env` the addresses and credentials for everybody else. Each is replaced by a rename.
"""

import base64
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.stack.cache import locked
from deploy.stack.errors import StackError
from deploy.stack.processes import Process

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
PORT_MINIMUM = 10_000
PORT_ATTEMPTS = 200  # a busy machine has a few hundred listening ports among 20,000
EPHEMERAL_PORT_MINIMUM = 32_768  # Linux's default, where the kernel does not say


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """One Kafka broker, which is also a controller of the cluster."""

    node_id: int
    port: int
    controller_port: int

    @property
    def name(self) -> str:
        """What the process is called in `processes.json` and its directory in the state."""
        return f"kafka-{self.node_id}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stack consists of. Ports stay the same over restarts, so clients find their servers again."""

    cluster_id: str
    brokers: tuple[BrokerPlan, ...]
    minio_port: int
    bucket: str
    notify_topics: tuple[str, ...]

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka clients connect to."""
        return ",".join(f"{LOOPBACK}:{broker.port}" for broker in self.brokers)

    @property
    def s3_endpoint_url(self) -> str:
        """What S3 clients connect to."""
        return f"http://{LOOPBACK}:{self.minio_port}"


def refuse_taken_port(port: int, server: str) -> None:
    """Raises StackError when something listens there already: it would be taken for the server that we start."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            raise StackError(
                f"{LOOPBACK}:{port}, where {server} is to listen, is taken by another program: "
                "end that, or choose another port, in a new --state if this stack had that port before"
            )


def new_plan(
    *, brokers: int, kafka_port: int | None, minio_port: int | None, bucket: str, notify_topic: str
) -> Plan:
    """A plan on the ports asked for, the brokers' being consecutive, and on free ones otherwise."""
    with ExitStack() as held:
        controller_ports = [free_port(held) for _ in range(brokers)]
        ports = (
            range(kafka_port, kafka_port + brokers) if kafka_port else [free_port(held) for _ in range(brokers)]
        )
        return Plan(
            cluster_id=_new_cluster_id(),
            brokers=tuple(
                BrokerPlan(node_id=node_id, port=port, controller_port=controller_port)
                for node_id, (port, controller_port) in enumerate(
                    zip(ports, controller_ports, strict=True), start=1
                )
            ),
            minio_port=minio_port or free_port(held),
            bucket=bucket,
            notify_topics=(notify_topic,),
        )


def _new_cluster_id() -> str:
    """16 bytes as Kafka writes its ids; the fixed first one keeps the text from starting with a dash."""
    return base64.urlsafe_b64encode(b"K" + secrets.token_bytes(15)).decode("ascii").rstrip("=")


def free_port(held: ExitStack) -> int:
    """A port below the kernel's ephemeral range, bound until `held` closes.

    A client that keeps connecting to an ephemeral port of a stopped server can be given that same port as its
    own and then talks to itself, and the server cannot come back on it.
    """
    try:
        first = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0]
    except OSError:
        first = str(EPHEMERAL_PORT_MINIMUM)
    limit = int(first) if int(first) > PORT_MINIMUM + PORT_ATTEMPTS else EPHEMERAL_PORT_MINIMUM
    for _ in range(PORT_ATTEMPTS):
        port = random.randrange(PORT_MINIMUM, limit)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            listener.close()
            continue
        held.callback(listener.close)
        return port
    raise StackError(f"no free port between {PORT_MINIMUM} and {limit} after {PORT_ATTEMPTS} attempts")


def replace_file(path: Path, text: str) -> None:
    """Writes a file that its owner alone may read, in one step: nobody ever sees half of it."""
    written = path.with_name(f"{path.name}.new")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    written.replace(path)


@dataclass(frozen=True, slots=True)
class State:
    """One stack's directory. Everything in it is the stack's own; nobody else's files are ever removed."""

    directory: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other commands from changing the same stack meanwhile; waits for one that does."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.directory / "lock"):
            yield

    def plan(self) -> Plan | None:
        """What was chosen when the stack was first started, or None."""
        stored = self._read("plan.json")
        if stored is None:
            return None
        try:
            brokers = tuple(BrokerPlan(**broker) for broker in stored.pop("brokers"))
            return Plan(brokers=brokers, notify_topics=tuple(stored.pop("notify_topics")), **stored)
        except (KeyError, TypeError) as failed:
            raise StackError(
                f"{self.directory}/plan.json is not of this version: remove the directory"
            ) from failed

    def keep_plan(self, plan: Plan) -> None:
        """Stores what was chosen. Refuses a directory that holds something else."""
        strangers = sorted(path.name for path in self.directory.iterdir() if path.name != "lock")
        if strangers and self.plan() is None:
            raise StackError(f"{self.directory} is not empty ({strangers[0]}): choose another one with --state")
        self._replace("plan.json", json.dumps(asdict(plan), indent=2))

    def processes(self) -> dict[str, Process]:
        """What was started and not yet ended through us, by name; it may have died since."""
        return {name: Process(**fields) for name, fields in (self._read("processes.json") or {}).items()}

    def keep_processes(self, processes: Mapping[str, Process]) -> None:
        """Stores what was started."""
        stored = {name: asdict(process) for name, process in processes.items()}
        self._replace("processes.json", json.dumps(stored, indent=2))

    def environment(self, plan: Plan) -> dict[str, str]:
        """What Kascribe needs to use the stack; credentials are made at the first call and then kept.

        They are written to `stack.env`, readable by the owner alone.
        """
        kept = self._kept_environment()
        access_key = kept.get("AWS_ACCESS_KEY_ID") or f"kascribe-{secrets.token_hex(6)}"
        secret_key = kept.get("AWS_SECRET_ACCESS_KEY") or secrets.token_urlsafe(30)
        environment = {
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": plan.bootstrap_servers,
            "KASCRIBE_S3_ENDPOINT_URL": plan.s3_endpoint_url,
            "KASCRIBE_S3_BUCKET": plan.bucket,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_REGION": REGION,
        }
        if environment != kept:
            self._replace("stack.env", "".join(f"{name}={value}\n" for name, value in environment.items()))
        return environment

    @property
    def environment_file(self) -> Path:
        """KEY=value lines, for a shell or for `--env-file`."""
        return self.directory / "stack.env"

    def purge(self) -> None:
        """Removes what the stack keeps: records, objects, credentials and ports. Nothing may run."""
        plan = self.plan()
        if plan is None:
            raise StackError(f"{self.directory} holds no stack")
        for name in [*(broker.name for broker in plan.brokers), "minio"]:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for name in ["processes.json", "stack.env", "plan.json"]:
            (self.directory / name).unlink(missing_ok=True)

    def _kept_environment(self) -> dict[str, str]:
        try:
            lines = self.environment_file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split("=", maxsplit=1) for line in lines if "=" in line)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            stored = json.loads((self.directory / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as failed:
            raise StackError(f"{self.directory}/{name} is damaged: end its processes and remove it") from failed
        return dict(stored)

    def _replace(self, name: str, text: str) -> None:
        replace_file(self.directory / name, text)
