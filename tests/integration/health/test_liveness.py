"""Readiness, liveness and ends of a role on the real servers: frozen, refused, killed and stopped."""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from consumers.runtime.monitoring.membership import SILENCE_SECONDS
from models.selftest import clips
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.support.interrupting import interruptible
from tests.support.waiting import eventually

NOTICED_SECONDS: Final = SILENCE_SECONDS + 25.0
DRAIN_SECONDS: Final = 4.0
MARGIN_SECONDS: Final = 8.0
"""Of a busy machine; the frozen store's reads and the default drain last for half a minute."""
SESSION_MILLISECONDS: Final = 15_000
"""Longer than a process takes to start, so that the broker still knows the one that was killed."""
INSTANCE: Final = {"KASCRIBE_KAFKA_GROUP_INSTANCE_ID": "one"}
EVERY_USER: Final = "User:ANONYMOUS"


@contextmanager
def _frozen(stack: PrivateStack, server: str) -> Iterator[None]:
    """Stop the server within the context: it answers nothing, as on a machine that hangs."""
    (pid,) = [status.pid for status in stack.servers.status() if status.name.startswith(server) and status.pid]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _denied(stack: PrivateStack, group: str) -> Iterator[None]:
    """Deny every user membership of the group within the context."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers, "log_level": 0})

    pattern = (ResourceType.GROUP, group, ResourcePatternType.LITERAL, EVERY_USER, "*")
    denied = AclBinding(*pattern, AclOperation.READ, AclPermissionType.DENY)
    # Once there is a rule for a group, what no rule allows is refused.
    allowed = AclBinding(*pattern, AclOperation.ALL, AclPermissionType.ALLOW)
    every = AclBindingFilter(*pattern, AclOperation.ANY, AclPermissionType.ANY)
    for answer in admin.create_acls([denied, allowed]).values():
        answer.result(30)
    try:
        yield
    finally:
        for each in admin.delete_acls([every]).values():
            each.result(30)


def _reasons(pipeline: Pipeline, kind: str = "ready") -> list[str]:
    """Return why the role is not ready, or not alive; none when it is."""
    url = f"http://127.0.0.1:{pipeline.role.health_port}/health/{kind}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return list(json.load(answer)["reasons"])
    except urllib.error.HTTPError as error:
        return list(json.load(error)["reasons"])


def _metric(pipeline: Pipeline, pattern: str) -> float | None:
    url = f"http://127.0.0.1:{pipeline.role.health_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = re.search(rf"^{pattern} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else None


def _is_down(pipeline: Pipeline, service: str) -> float | None:
    return _metric(pipeline, rf'kascribe_dependency_down\{{dependency="{service}"\}}')


def _is_silent(pipeline: Pipeline, service: str) -> bool:
    """Return whether both the reasons and the metric report that the service does not answer."""
    is_in_reasons = any(reason.startswith(f"{service} has not answered for") for reason in _reasons(pipeline))
    return is_in_reasons and _is_down(pipeline, service) == 1


def _lines(pipeline: Pipeline) -> list[dict[str, object]]:
    """Read the log, of which every line is JSON."""
    return [json.loads(line) for line in pipeline.role.log.read_text(encoding="utf-8").splitlines()]


def _is_refused(pipeline: Pipeline) -> bool:
    with suppress(OSError):
        return any("instance id one" in reason for reason in _reasons(pipeline))
    return False


def _is_ready(pipeline: Pipeline) -> bool:
    with suppress(OSError):
        return not _reasons(pipeline)
    return False


def _is_over(pipeline: Pipeline) -> Callable[[], bool]:
    return lambda: pipeline.role.exit_code is not None


def test_servers_that_are_frozen_end_readiness_although_nothing_fails(stack: PrivateStack, tmp_path: Path) -> None:
    """With nothing in flight no request fails. The reasons name both, the metric counts them as down, the lag does
    not stand still, a new process would not help, and every line of the log stays JSON."""
    lag = r"kascribe_consumer_lag_offsets\{[^}]*\}"
    with Pipeline(stack, tmp_path, {}) as pipeline:
        eventually(lambda: _metric(pipeline, lag) is not None, timeout_seconds=30, what="a lag")
        assert (_is_down(pipeline, "kafka"), _is_down(pipeline, "s3")) == (0, 0)
        with _frozen(stack, "kafka"), _frozen(stack, "minio"):
            for service in ("kafka", "s3"):
                eventually(partial(_is_silent, pipeline, service), timeout_seconds=NOTICED_SECONDS, what=service)
            assert not _reasons(pipeline, "live")
            eventually(lambda: _metric(pipeline, lag) is None, timeout_seconds=NOTICED_SECONDS, what="no lag")
        eventually(lambda: not _reasons(pipeline), timeout_seconds=60, what="readiness")
        assert _lines(pipeline)


def test_a_process_outlives_an_outage_of_kafka_that_is_longer_than_its_requests(
    stack: PrivateStack, tmp_path: Path
) -> None:
    """The same process is ready again and transcribes, and its watches of the broker see it again."""
    with _process_with_checked_memory(stack, tmp_path) as pipeline:
        stack.servers.kafka_stop()
        try:
            eventually(partial(_is_silent, pipeline, "kafka"), timeout_seconds=NOTICED_SECONDS, what="silence")
        finally:
            stack.servers.kafka_start()
        eventually(lambda: _is_ready(pipeline) or _is_over(pipeline)(), timeout_seconds=90, what="readiness")
        assert pipeline.role.exit_code is None, pipeline.role.log.read_text()[-2_000:]
        uri = pipeline.put(clips()[0].path.read_bytes())
        pipeline.refer(uri)
        assert pipeline.transcript_of(uri).text
        assert _is_down(pipeline, "kafka") == 0


def test_a_static_member_that_was_killed_comes_back_as_soon_as_the_broker_lets_it(
    stack: PrivateStack, tmp_path: Path
) -> None:
    """The broker misses the old process after its session; until then the new one retries, and is not ready."""
    pipeline = Pipeline(stack, tmp_path, INSTANCE)
    stack.shorten_session(f"{pipeline.prefix}transcriber", SESSION_MILLISECONDS)
    with pipeline:
        pipeline.role.kill()
        pipeline.role.start()
        # On a machine so slow that starting takes longer than the session, there is nothing left to refuse.
        eventually(lambda: _is_refused(pipeline) or _is_ready(pipeline), timeout_seconds=120, what="a refusal")
        pipeline.role.wait_until_ready()
        uri = pipeline.put(clips()[0].path.read_bytes())
        pipeline.refer(uri)
        assert pipeline.transcript_of(uri).text


def test_a_member_that_may_not_read_its_group_any_more_ends_with_a_sentence(
    stack: PrivateStack, tmp_path: Path
) -> None:
    """The client never recovers from it, so a supervisor must start a new process; the log names what to allow."""
    with Pipeline(stack, tmp_path, {}) as pipeline:
        with _denied(stack, f"{pipeline.prefix}transcriber"):
            eventually(_is_over(pipeline), timeout_seconds=60, what="the end of the process")
        assert pipeline.role.exit_code == 1
        last = _lines(pipeline)[-1]
        assert last["event"] == "the process ends"
        assert "allow it READ on the group" in str(last["why"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_process_within_its_limit_whatever_hangs(
    stack: PrivateStack, tmp_path: Path, number: signal.Signals
) -> None:
    """A job waits for a frozen store, whose reads last for half a minute; children and scratch files are gone."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    settings = {"KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS": str(DRAIN_SECONDS), "TMPDIR": str(scratch)}
    with interruptible(), Pipeline(stack, tmp_path, settings) as pipeline:
        children = _children(pipeline.role.pid)
        assert children
        with _job_waiting_for_the_store(stack, pipeline):
            began = time.monotonic()
            os.kill(pipeline.role.pid, number)
            eventually(_is_over(pipeline), timeout_seconds=60, what="the end of the process")
            assert time.monotonic() - began < DRAIN_SECONDS + MARGIN_SECONDS
        assert pipeline.role.exit_code == 0
        eventually(lambda: not any(map(_is_alive, children)), timeout_seconds=10, what="the end of the children")
        assert not list(scratch.glob("kascribe-*"))


def test_a_second_signal_ends_the_process_within_a_second_or_so(stack: PrivateStack, tmp_path: Path) -> None:
    """However long the drain would have lasted."""
    with Pipeline(stack, tmp_path, {}) as pipeline:
        children = _children(pipeline.role.pid)
        with _job_waiting_for_the_store(stack, pipeline):
            os.kill(pipeline.role.pid, signal.SIGTERM)
            eventually(lambda: "draining before the end" in _reasons(pipeline), timeout_seconds=30)
            began = time.monotonic()
            os.kill(pipeline.role.pid, signal.SIGTERM)
            eventually(_is_over(pipeline), timeout_seconds=60, what="the end of the process")
            assert time.monotonic() - began < MARGIN_SECONDS
        assert pipeline.role.exit_code == 0
        eventually(lambda: not any(map(_is_alive, children)), timeout_seconds=10, what="the end of the children")


def _process_with_checked_memory(stack: PrivateStack, directory: Path) -> Pipeline:
    """Return a pipeline whose process overwrites what it frees, so that a later use ends it or makes it hang."""
    return Pipeline(stack, directory, {"MALLOC_PERTURB_": "165"})


@contextmanager
def _job_waiting_for_the_store(stack: PrivateStack, pipeline: Pipeline) -> Iterator[None]:
    uri = pipeline.put(clips()[0].path.read_bytes())
    with _frozen(stack, "minio"):
        pipeline.refer(uri)
        eventually(lambda: _metric(pipeline, "kascribe_in_flight_records") == 1, timeout_seconds=30)
        yield


def _children(pid: int) -> list[int]:
    """List the process's own children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(int(entry.name)) == pid
    ]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
