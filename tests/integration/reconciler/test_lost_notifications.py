"""Notifications that MinIO lost while Kafka was down: every object is transcribed, and none twice."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from models.selftest import clips
from schemas.errors import InvalidEvent
from schemas.events import Phase
from schemas.notifications import parse_notification
from schemas.roles import Role
from tests.contract.reconciler.command import reconcile_once, reconciling
from tests.demo.lag import committed_everything
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

REFUSED: Final = "refused.ogg"
REPLAY_SECONDS: Final = 60.0
"""MinIO begins to deliver what it has queued within half a minute of its start."""


@pytest.fixture
def pipeline(stack: PrivateStack, tmp_path: Path) -> Iterator[Pipeline]:
    """Run a transcriber with a bucket that announces its objects."""
    with Pipeline(stack, tmp_path, {"KASCRIBE_WHISPER_DECODER_PROCESSES": "1"}) as running:
        stack.servers.create_bucket(running.bucket, notify_topic=running.topics.objects)
        yield running


def test_every_object_is_transcribed_once_whatever_becomes_of_its_notification(
    stack: PrivateStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    """MinIO is killed while Kafka is down, and its queue is lost; later the notifications arrive after all.

    The reconciler runs all the time, beside servers that are down.
    """
    queue = queue_directory(stack)
    audio = {f"녹음/{clip.name}": clip.path.read_bytes() for clip in clips()}
    metadata = {key: {"case": quote(key)} for key in audio} | {REFUSED: {"language": "klingon"}}
    with reconciling(pipeline.environment, tmp_path) as reconciler:
        with outage(stack):
            for key, body in {**audio, REFUSED: b"never read"}.items():
                stack.s3.put_object(Bucket=pipeline.bucket, Key=key, Body=body, Metadata=metadata[key])
            eventually(
                lambda: queued_keys(queue) == metadata.keys(), timeout_seconds=REPLAY_SECONDS, what="the queue"
            )
            stack.servers.minio_kill()
            shutil.move(queue, tmp_path / "lost")
        reconciler.wait_for(lambda summary: summary["known"] == len(metadata), what="a run that knows all")
        assert (reconciler.published(), reconciler.stop()) == (len(audio), 0)
    for key in audio:
        event = pipeline.transcript_of(f"s3://{pipeline.bucket}/{key}")
        assert (event.metadata, event.reused, event.source_changed) == ({"case": key}, False, False)
    failure = eventually(
        lambda: next(iter(pipeline.failures()), None), timeout_seconds=REPLAY_SECONDS, what="the failure"
    )
    assert failure.failure is not None
    assert failure.failure.reason.value == "invalid_options"

    # The queue was not lost after all.
    stack.servers.minio_stop()
    shutil.rmtree(queue, ignore_errors=True)
    shutil.move(tmp_path / "lost", queue)
    stack.servers.minio_start()
    stack.records(
        pipeline.topics.objects,
        lambda seen: len({key for each in seen if (key := dropped_key(each.value()))}) == len(metadata),
        timeout_seconds=REPLAY_SECONDS,
    )
    eventually(
        lambda: committed_everything(
            pipeline.kafka, pipeline.topics.objects, group=f"{pipeline.prefix}{Role.TRANSCRIBER}"
        ),
        timeout_seconds=REPLAY_SECONDS,
        what="the late notifications' completion",
    )
    uris = Counter(event.source.uri for event in pipeline.transcripts())
    assert uris == {f"s3://{pipeline.bucket}/{key}": 1 for key in audio}
    assert len(pipeline.progress(Phase.DECODING)) == len(audio), "the content of each was decoded once"
    assert len(pipeline.failures()) == len(pipeline.dead()) == 1
    again = json.loads(reconcile_once(pipeline.environment, "--json").stdout)
    assert (again["known"], again["published"], again["refused"]) == (len(metadata), 0, 0)


@contextmanager
def outage(stack: PrivateStack) -> Iterator[None]:
    """Kill Kafka while the context lasts; start it, and MinIO, at the end."""
    stack.servers.kafka_kill()
    try:
        yield
    finally:
        stack.servers.kafka_start()
        stack.servers.minio_start()


def queue_directory(stack: PrivateStack) -> Path:
    """Return where MinIO keeps the notifications that Kafka does not take."""
    minio = next(status for status in stack.servers.status() if status.name == "minio")
    return minio.log.parent / "queue"


def queued_keys(queue: Path) -> set[str]:
    """Return the keys of the dropped objects with a notification in the queue."""
    found = (dropped_key(path.read_bytes()) for path in queue.rglob("*") if path.is_file())
    return {key for key in found if key}


def dropped_key(value: bytes | None) -> str | None:
    """Return the key of the dropped object in a notification; None for one of our own objects."""
    try:
        (created,) = parse_notification(value).created
    except InvalidEvent:  # MinIO is still writing it, or it is no notification
        return None
    return None if created.key.startswith("kascribe-") else created.key
