"""Brokers and the object store: frozen, killed, moved, without their bucket."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from tests.chaos.failures.failure import Expected, Failure, Line, Published, Sample, SetUp, Setup
from tests.chaos.failures.scene import Scene
from tests.integration.stack import PrivateStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KAFKA_DOWN: Final = Sample('kascribe_dependency_down{dependency="kafka"}')
S3_DOWN: Final = Sample('kascribe_dependency_down{dependency="s3"}')


def frozen(server: str) -> SetUp:
    """Return a set-up that stops the server's processes, so that they answer nothing, and lets them go on."""

    def send(number: signal.Signals, scene: Scene) -> None:
        for status in scene.stack.servers.status():
            if status.name.startswith(server) and status.pid:
                os.kill(status.pid, number)

    return _simple(partial(send, signal.SIGSTOP), partial(send, signal.SIGCONT))


def _simple(begin: Callable[[Scene], object], end: Callable[[Scene], object]) -> SetUp:
    @contextmanager
    def set_up(_stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
        yield Setup(begin, end)

    return set_up


def _kill_brokers(scene: Scene) -> None:
    scene.stack.servers.kafka_kill()


def _start_brokers(scene: Scene) -> None:
    scene.stack.servers.kafka_start()


def _kill_coordinator(scene: Scene) -> None:
    scene.stack.servers.kafka_kill(_coordinator(scene))


def _coordinator(scene: Scene) -> int:
    """Return the number of the broker that coordinates the role's consumer group."""
    admin = AdminClient({"bootstrap.servers": scene.stack.bootstrap_servers, "log_level": 0})
    group = f"{scene.pipeline.prefix}{scene.role.role}"
    described = admin.describe_consumer_groups([group])[group].result()
    if described.state is ConsumerGroupState.DEAD:
        raise AssertionError(f"the group {group} has no coordinator")
    return int(described.coordinator.id)


class _Bucket:
    """A bucket that is removed with all it holds, and made again."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def remove(self, scene: Scene) -> None:
        """Delete every version of every object, then the bucket."""
        s3, bucket = scene.stack.s3, scene.pipeline.bucket
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                self._keep(s3, bucket, version["Key"])
                s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=bucket)

    def make_again(self, scene: Scene) -> None:
        """Create the bucket and put the objects back."""
        scene.stack.servers.create_bucket(scene.pipeline.bucket)
        for key, body in self._objects.items():
            scene.stack.s3.put_object(Bucket=scene.pipeline.bucket, Key=key, Body=body)

    def _keep(self, s3: "S3Client", bucket: str, key: str) -> None:
        if key not in self._objects:
            self._objects[key] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()


@contextmanager
def _without_bucket(_stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
    bucket = _Bucket()
    yield Setup(bucket.remove, bucket.make_again)


ROWS: Final = (
    Failure(
        "broker-frozen",
        "broker frozen",
        "SIGSTOP to Kafka, right after the jobs were published; then SIGCONT",
        frozen("kafka"),
        Expected(
            ready="kafka has not answered for",
            sample=KAFKA_DOWN,
            line=Line("dependency does not answer", {"dependency": "kafka"}),
            work="waits, and is done once the broker answers",
        ),
        published=Published.BEFORE,
    ),
    Failure(
        "broker-gone",
        "broker gone",
        "SIGKILL to Kafka, right after the jobs were published; then a start on the same data",
        _simple(_kill_brokers, _start_brokers),
        Expected(
            ready="kafka has not answered for",
            sample=KAFKA_DOWN,
            line=Line("dependency does not answer", {"dependency": "kafka"}),
            work="waits, and is done once the broker is back",
        ),
        published=Published.BEFORE,
    ),
    Failure(
        "coordinator-moved",
        "coordinator moved",
        "SIGKILL to that of three brokers which coordinates the group, right after the jobs were published",
        _simple(_kill_coordinator, _start_brokers),
        Expected(
            ready=None,
            sample=None,
            line=None,
            work="goes on with the new coordinator",
        ),
        published=Published.BEFORE,
        brokers=3,
    ),
    Failure(
        "bucket-frozen",
        "bucket frozen",
        "SIGSTOP to MinIO, then the jobs; then SIGCONT",
        frozen("minio"),
        Expected(
            ready="waiting for s3|s3 has not answered for",
            sample=S3_DOWN,
            line=Line("dependency is down", {"dependency": "s3", "error": "timeout|timed out"}),
            work="intake pauses; done once the store answers, no attempt is counted",
        ),
    ),
    Failure(
        "bucket-gone",
        "bucket gone",
        "the bucket is deleted with its objects, then the jobs come; then both are put back",
        _without_bucket,
        Expected(
            ready="waiting for s3|s3 has not answered for",
            sample=S3_DOWN,
            line=Line("dependency is down", {"dependency": "s3", "error": "NoSuchBucket; create the bucket"}),
            work="intake pauses; done once the bucket is back, no attempt is counted",
        ),
    ),
)
