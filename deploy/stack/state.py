"""State of one stack: its plan, its processes and its credentials, kept in a directory.

`plan.json` holds the plan (ports, cluster id, topics of notifications), `processes.json` the started processes,
`stack.env` addresses and credentials for clients. Each file is replaced by a rename.
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
from typing import Any, Final

from deploy.stack.cache import locked
from deploy.stack.errors import StackError
from deploy.stack.processes import Process

LOOPBACK: Final = "127.0.0.1"
REGION: Final = "us-east-1"
PORT_MINIMUM: Final = 10_000
PORT_ATTEMPTS: Final = 200  # a busy machine has a few hundred listening ports among 20,000
EPHEMERAL_PORT_MINIMUM: Final = 32_768  # Linux's default, for when the kernel's value cannot be read


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """One Kafka broker, which is also a controller of the cluster."""

    node_id: int
    port: int
    controller_port: int

    @property
    def name(self) -> str:
        """The name of the process in `processes.json`, and of its directory in the state."""
        return f"kafka-{self.node_id}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The composition of a stack. Ports stay the same over restarts, so clients find their servers again."""

    cluster_id: str
    brokers: tuple[BrokerPlan, ...]
    minio_port: int
    bucket: str
    notify_topics: tuple[str, ...]

    @property
    def bootstrap_servers(self) -> str:
        """The address that Kafka clients connect to."""
        return ",".join(f"{LOOPBACK}:{broker.port}" for broker in self.brokers)

    @property
    def s3_endpoint_url(self) -> str:
        """The address that S3 clients connect to."""
        return f"http://{LOOPBACK}:{self.minio_port}"


def refuse_taken_port(port: int, server: str) -> None:
    """Raise StackError when a program listens there already: it would be mistaken for the server to start."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            raise StackError(
                f"{LOOPBACK}:{port}, where {server} is to listen, is taken by another program: "
                "end that, or choose another port, in a new --state if this stack had that port before"
            )


def new_plan(
    *, brokers: int, kafka_port: int | None, minio_port: int | None, bucket: str, notify_topic: str
) -> Plan:
    """Make a plan on the requested ports, consecutive for the brokers, and on free ones otherwise."""
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
    """Return 16 bytes as Kafka writes its ids; the fixed first one keeps the text from starting with a dash."""
    return base64.urlsafe_b64encode(b"K" + secrets.token_bytes(15)).decode("ascii").rstrip("=")


def free_port(held: ExitStack) -> int:
    """Return a free port below the kernel's ephemeral range, bound until `held` closes.

    A client that keeps connecting to an ephemeral port of a stopped server can be assigned that same port as its
    own and then talks to itself, and the server cannot return to it.
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
    """Write a file that only its owner may read, in one step: no reader sees half of it."""
    written = path.with_name(f"{path.name}.new")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    written.replace(path)


@dataclass(frozen=True, slots=True)
class State:
    """One stack's directory. Everything in it belongs to the stack; no other files are ever removed."""

    directory: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the stack's lock: wait for other commands that change it, and keep them out."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.directory / "lock"):
            yield

    def plan(self) -> Plan | None:
        """Return the plan made when the stack was first started, or None."""
        stored = self._read("plan.json")
        if stored is None:
            return None
        try:
            brokers = tuple(BrokerPlan(**broker) for broker in stored.pop("brokers"))
            return Plan(brokers=brokers, notify_topics=tuple(stored.pop("notify_topics")), **stored)
        except (KeyError, TypeError) as error:
            raise StackError(f"{self.directory}/plan.json is not of this version: remove the directory") from error

    def keep_plan(self, plan: Plan) -> None:
        """Store the plan. Raises StackError for a directory that holds other files."""
        foreign = sorted(path.name for path in self.directory.iterdir() if path.name != "lock")
        if foreign and self.plan() is None:
            raise StackError(f"{self.directory} is not empty ({foreign[0]}): choose another one with --state")
        self._replace("plan.json", json.dumps(asdict(plan), indent=2))

    def processes(self) -> dict[str, Process]:
        """Return the processes that were started and not stopped by a command, by name; they may have died."""
        return {name: Process(**fields) for name, fields in (self._read("processes.json") or {}).items()}

    def keep_processes(self, processes: Mapping[str, Process]) -> None:
        """Store the started processes."""
        stored = {name: asdict(process) for name, process in processes.items()}
        self._replace("processes.json", json.dumps(stored, indent=2))

    def environment(self, plan: Plan) -> dict[str, str]:
        """Return Kascribe's environment for this stack; credentials are generated at the first call and kept.

        Writes it to `stack.env`, readable by the owner alone.
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
        """The file of KEY=value lines, for a shell or for `--env-file`."""
        return self.directory / "stack.env"

    def purge(self) -> None:
        """Remove records, objects, credentials and ports. No server may run."""
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
        except ValueError as error:
            raise StackError(f"{self.directory}/{name} is damaged: end its processes and remove it") from error
        return dict(stored)

    def _replace(self, name: str, text: str) -> None:
        replace_file(self.directory / name, text)
