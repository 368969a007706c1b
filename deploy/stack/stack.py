"""One stack: starts and stops its servers, and breaks them on purpose."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.stack import kafka, minio
from deploy.stack.cache import LOG_TAIL_LINES, Report, Servers, default_cache, prepare
from deploy.stack.errors import StackError
from deploy.stack.processes import Process, end, is_alive, resident_bytes, start
from deploy.stack.state import LOOPBACK, Plan, State, new_plan, refuse_taken_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MINIO: Final = "minio"
GRACE_SECONDS: Final = 15.0  # one server takes a second or two
QUORUM_GRACE_SECONDS: Final = 4.0  # when all brokers stop together, the last one waits for a quorum in vain


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The current status of one server; `resident_bytes` is 0 for one that is not alive."""

    name: str
    address: str
    alive: bool
    pid: int | None
    resident_bytes: int
    log: Path


class Stack:
    """One or three brokers, and an object store that notifies them of new objects.

    Every method is safe to repeat, also from another process: the state directory records what runs.
    """

    def __init__(self, state: State, plan: Plan, servers: Callable[[], Servers]) -> None:
        self._state = state
        self._plan = plan
        self._servers = servers  # called only to start something: `down` and `status` need no programs
        self.environment = state.environment(plan)
        self.started: tuple[str, ...] = ()

    @classmethod
    def up(
        cls,
        directory: Path,
        *,
        cache: Path | None = None,
        brokers: int = 1,
        kafka_port: int | None = None,
        minio_port: int | None = None,
        bucket: str = "audio",
        notify_topic: str = "audio.objects",
        topics: Sequence[kafka.Topic] = kafka.DEFAULT_TOPICS,
        report: Report = print,
    ) -> "Stack":
        """Start what does not run yet and block until brokers, topics, bucket and notifications are ready.

        A stack keeps its ports, credentials and records between starts. `started` names the servers that this call
        started; it ends them again when it fails. Raises StackError.
        """
        servers = partial(prepare, cache or default_cache(), report=report)
        servers()
        state = State(directory.absolute())
        with state.locked():
            plan = state.plan()
            if plan is None:
                plan = new_plan(
                    brokers=brokers,
                    kafka_port=kafka_port,
                    minio_port=minio_port,
                    bucket=bucket,
                    notify_topic=notify_topic,
                )
                state.keep_plan(plan)
            _refuse_another(
                plan, directory, brokers=brokers, kafka_port=kafka_port, minio_port=minio_port, bucket=bucket
            )
            stack = cls(state, plan, servers)
            stack._bring_up([*topics, kafka.Topic(plan.notify_topics[0])])
            return stack

    @classmethod
    def at(cls, directory: Path, *, cache: Path | None = None, report: Report = print) -> "Stack":
        """Return the stack that a directory holds, running or not. Raises StackError when it holds none."""
        state = State(directory.absolute())
        plan = state.plan()
        if plan is None:
            raise StackError(f"{directory} holds no stack: start one with `python -m deploy.stack up`")
        return cls(state, plan, partial(prepare, cache or default_cache(), report=report))

    @property
    def bootstrap_servers(self) -> str:
        """The address that Kafka clients connect to."""
        return self._plan.bootstrap_servers

    @property
    def bucket(self) -> str:
        """The bucket created with the stack."""
        return self._plan.bucket

    @property
    def environment_file(self) -> Path:
        """`environment` as KEY=value lines, readable by its owner alone."""
        return self._state.environment_file

    def status(self) -> list[ServerStatus]:
        """Return the status of every server, brokers first."""
        processes = self._state.processes()
        return [self._status_of(name, address, processes.get(name)) for name, address in self._addresses().items()]

    def down(self, *, purge: bool = False) -> None:
        """Stop the servers, wait for them, and kill those that do not end in time.

        Ports, records, objects and credentials stay for the next `up`, unless `purge`: then nothing is worth the
        wait, and the servers are killed at once.
        """
        with self._state.locked():
            self._end(list(self._state.processes()), kill=purge)
            if purge:
                self._state.purge()

    def kafka_stop(self, node_id: int | None = None) -> None:
        """Shut one broker down cleanly, or all of them. Records stay."""
        with self._state.locked():
            self._end(self._broker_names(node_id))

    def kafka_kill(self, node_id: int | None = None) -> None:
        """Kill one broker, or all of them, without a clean shutdown. Records stay."""
        with self._state.locked():
            self._end(self._broker_names(node_id), kill=True)

    def kafka_start(self, node_id: int | None = None) -> None:
        """Start one broker, or all of them, on the same records and ports; block until they are ready."""
        with self._state.locked():
            self._start(self._broker_names(node_id))
            self._cluster().await_brokers(sum(status.alive for status in self.status() if status.name != MINIO))

    def minio_stop(self) -> None:
        """Shut the object store down cleanly. Objects and queued notifications stay."""
        with self._state.locked():
            self._end([MINIO])

    def minio_kill(self) -> None:
        """Kill the object store without a clean shutdown."""
        with self._state.locked():
            self._end([MINIO], kill=True)

    def minio_start(self) -> None:
        """Start the object store on the same objects and port, and block until it is live."""
        with self._state.locked():
            self._start([MINIO])
            minio.await_ready(self._plan, check=self._check_alive)

    def create_topics(self, topics: Iterable[kafka.Topic]) -> None:
        """Create missing topics and block until every partition has a leader."""
        self._cluster().create_topics(topics)

    def create_bucket(self, name: str, *, notify_topic: str | None = None) -> None:
        """Create a versioned bucket; with `notify_topic`, its new objects are announced there, each twice.

        For a topic that the object store does not know yet it is restarted, which takes a second.
        """
        with self._state.locked():
            self._plan = self._state.plan() or self._plan
            if notify_topic is not None and notify_topic not in self._plan.notify_topics:
                self._plan = replace(self._plan, notify_topics=(*self._plan.notify_topics, notify_topic))
                self._state.keep_plan(self._plan)
                self._end([MINIO])
                self._start([MINIO])
                minio.await_ready(self._plan, check=self._check_alive)
            self._create_bucket(name, notify_topic)

    def s3(self) -> "S3Client":
        """Create an S3 client with the stack's credentials; the caller closes it."""
        return minio.client(self.environment)

    def _bring_up(self, topics: Iterable[kafka.Topic]) -> None:
        alive_before = {status.name for status in self.status() if status.alive}
        try:
            self._start(list(self._addresses()))
            cluster = self._cluster()
            cluster.await_brokers(len(self._plan.brokers))
            cluster.create_topics(topics)
            minio.await_ready(self._plan, check=self._check_alive)
            self._create_bucket(self._plan.bucket, self._plan.notify_topics[0])
        except BaseException:
            self._end([name for name in self._addresses() if name not in alive_before], kill=True)
            raise
        self.started = tuple(name for name in self._addresses() if name not in alive_before)

    def _create_bucket(self, name: str, notify_topic: str | None) -> None:
        target = None if notify_topic is None else self._plan.notify_topics.index(notify_topic)
        s3 = self.s3()
        try:
            minio.create_bucket(s3, name, notify_target=target)
        finally:
            s3.close()

    def _start(self, names: Iterable[str]) -> None:
        processes = self._state.processes()
        wanted = [name for name in names if name not in processes or not is_alive(processes[name])]
        if not wanted:
            return
        servers = self._servers()
        for broker in self._plan.brokers:
            if broker.name in wanted:
                kafka.format_storage(servers, self._plan, broker, self._directory(broker.name))
        for name in wanted:
            processes[name] = self._spawn(name, servers)
            self._state.keep_processes(processes)

    def _spawn(self, name: str, servers: Servers) -> Process:
        directory = self._directory(name)
        refuse_taken_port(int(self._addresses()[name].rpartition(":")[2]), name)
        if name == MINIO:
            command = minio.server_command(servers, self._plan, directory)
            environment = minio.server_environment(self._plan, self.environment, directory)
        else:
            command = kafka.broker_command(servers, directory)
            environment = kafka.broker_environment()
        return start(command, log=self._log(name), environment=environment)

    def _end(self, names: Iterable[str], *, kill: bool = False) -> None:
        processes = self._state.processes()
        ended = [name for name in names if name in processes]
        whole_quorum = len(self._plan.brokers) > 1 and set(self._broker_names(None)) <= set(ended)
        grace_seconds = QUORUM_GRACE_SECONDS if whole_quorum else GRACE_SECONDS
        end([processes[name] for name in ended], grace_seconds=0 if kill else grace_seconds)
        self._state.keep_processes({name: each for name, each in processes.items() if name not in ended})

    def _check_alive(self) -> None:
        for name, process in self._state.processes().items():
            if not is_alive(process):
                tail = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
                raise StackError(f"{name} ended by itself; the end of {self._log(name)}:\n" + "\n".join(tail))

    def _cluster(self) -> kafka.Cluster:
        return kafka.Cluster(self._plan, check=self._check_alive)

    def _broker_names(self, node_id: int | None) -> list[str]:
        names = [broker.name for broker in self._plan.brokers if node_id in {None, broker.node_id}]
        if not names:
            raise StackError(f"there is no broker {node_id}: this stack has {len(self._plan.brokers)}")
        return names

    def _addresses(self) -> dict[str, str]:
        brokers = {broker.name: f"{LOOPBACK}:{broker.port}" for broker in self._plan.brokers}
        return {**brokers, MINIO: self._plan.s3_endpoint_url}

    def _status_of(self, name: str, address: str, process: Process | None) -> ServerStatus:
        running = process if process is not None and is_alive(process) else None
        return ServerStatus(
            name=name,
            address=address,
            alive=running is not None,
            pid=running.pid if running else None,
            resident_bytes=resident_bytes(running) if running else 0,
            log=self._log(name),
        )

    def _directory(self, name: str) -> Path:
        directory = self._state.directory / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def _log(self, name: str) -> Path:
        return self._state.directory / name / "server.log"


def _refuse_another(
    plan: Plan, directory: Path, *, brokers: int, kafka_port: int | None, minio_port: int | None, bucket: str
) -> None:
    differences = [
        f"{name} is {kept}, not {requested}"
        for name, kept, requested in [
            ("--brokers", len(plan.brokers), brokers),
            ("--kafka-port", plan.brokers[0].port, kafka_port or plan.brokers[0].port),
            ("--minio-port", plan.minio_port, minio_port or plan.minio_port),
            ("--bucket", plan.bucket, bucket),
        ]
        if kept != requested
    ]
    if differences:
        raise StackError(
            f"{directory} holds another stack ({'; '.join(differences)}): "
            "use another --state, or remove this one with `down --purge`"
        )
