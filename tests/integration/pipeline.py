"""A whole role on the real servers, with its own topics and bucket, as tests use it."""

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from consumers.kafka.follower import Follower, Start
from kascribe.console.following import event_in
from models.selftest import SELFTEST_MODEL_NAME
from producers.publisher import Publisher
from schemas.events import JobEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.dead_letters import DeadLetter
from schemas.kafka.dead_letters import read as read_dead_letter
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import Topics, dead_letter_topic
from schemas.roles import Role
from schemas.settings import KafkaSettings
from tests.demo.role import RoleProcess
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

ANSWER_TIMEOUT_SECONDS: Final = 60.0


class Pipeline:
    """A pipeline, used as a context. ``settings`` are KASCRIBE_* names beyond those that reach the servers.

    The role is a transcriber unless ``role`` names another. ``also_followed`` are topics, without the prefix,
    whose records are read as well. ``launcher`` and ``program``: see ``RoleProcess``.
    """

    def __init__(
        self,
        stack: PrivateStack,
        directory: Path,
        settings: Mapping[str, str],
        *,
        partitions: int = 1,
        role: Role = Role.TRANSCRIBER,
        also_followed: tuple[str, ...] = (),
        launcher: tuple[str, ...] = (),
        program: str = "kascribe",
    ) -> None:
        self.stack = stack
        self.prefix = stack.new_prefix()
        self.topics = Topics(self.prefix)
        self.bucket = stack.new_bucket()
        self.records: list[Record] = []
        self.kafka = KafkaSettings(bootstrap_servers=stack.bootstrap_servers, topic_prefix=self.prefix)
        self.environment = {
            **stack.environment,
            "KASCRIBE_KAFKA_TOPIC_PREFIX": self.prefix,
            "KASCRIBE_KAFKA_GROUP_ID_PREFIX": self.prefix,
            "KASCRIBE_KAFKA_TOPIC_PARTITIONS": str(partitions),
            "KASCRIBE_S3_BUCKET": self.bucket,
            "KASCRIBE_WHISPER_MODEL": os.environ.get("KASCRIBE_TEST_MODEL", SELFTEST_MODEL_NAME),
            "KASCRIBE_LOG_FORMAT": "json",
            **settings,
        }
        self.role = RoleProcess(
            role, self.environment, log=directory / f"{role}.log", launcher=launcher, program=program
        )
        self._also_followed = tuple(f"{self.prefix}{topic}" for topic in also_followed)
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(self.role)
            self.role.wait_until_ready()
            self._publisher = resources.enter_context(Publisher(self.kafka))
            dead = (dead_letter_topic(self.topics.references), dead_letter_topic(self.topics.objects))
            followed = (self.topics.transcripts, self.topics.progress, *dead, *self._also_followed)
            self._follower = resources.enter_context(Follower(self.kafka, followed, start=Start.BEGINNING))
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def put(self, body: bytes, *, name: str = "audio") -> str:
        """Store an object under a new key and return its URI."""
        key = f"{uuid.uuid4().hex[:8]}/{name}"
        self.stack.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def publish(self, value: bytes, *, topic: str | None = None, key: bytes = b"k") -> bytes:
        """Publish a record to a topic (references unless named otherwise) and return its value."""
        headers = (("team", b"billing"),)
        self._publisher.publish([OutgoingRecord(topic or self.topics.references, key, value, headers)])
        return value

    def refer(self, uri: str, **fields: Any) -> bytes:
        """Publish a reference with its own identity and return its value."""
        body = {"event_id": uuid.uuid4().hex, "occurred_at": "2026-11-22T00:00:00Z", "uri": uri, **fields}
        return self.publish(json.dumps({"idempotency_key": uuid.uuid4().hex, **body}).encode())

    def dead_letter_of(self, value: bytes) -> DeadLetter:
        """Wait for the dead letter with these bytes."""
        return eventually(
            lambda: next((read_dead_letter(r) for r in self.dead() if r.value == value), None),
            timeout_seconds=ANSWER_TIMEOUT_SECONDS,
            what=f"a dead letter of {value[:200]!r} ({self.role.log})",
        )

    def transcript_of(self, uri: str) -> TranscriptEvent:
        """Wait for the transcript event of an object."""
        return eventually(
            lambda: next((event for event in self.transcripts() if event.source.uri == uri), None),
            timeout_seconds=ANSWER_TIMEOUT_SECONDS,
            what=f"a transcript of {uri} ({self.role.log})",
        )

    def transcripts(self) -> list[TranscriptEvent]:
        """Return every transcript event so far."""
        return [event for event in self.events() if isinstance(event, TranscriptEvent)]

    def progress(self, phase: Phase) -> list[ProgressEvent]:
        """Return every progress event of a phase so far."""
        events = (event for event in self.events() if isinstance(event, ProgressEvent))
        return [event for event in events if event.phase is phase]

    def failures(self) -> list[ProgressEvent]:
        """Return every FAILED event so far."""
        return self.progress(Phase.FAILED)

    def dead(self) -> list[Record]:
        """Return every dead letter so far, as a record."""
        return [record for record in self.read() if record.topic.endswith(".dlq")]

    def events(self) -> list[JobEvent]:
        """Return every event so far."""
        found = (event_in(record, self.topics) for record in self.read())
        return [event for event in found if event is not None]

    def read(self) -> list[Record]:
        """Return every record so far of the topics that are followed."""
        self.records += self._follower.records(0.05)
        return self.records
