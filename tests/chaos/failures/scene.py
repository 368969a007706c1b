"""A running role with its topics and bucket, the jobs that it is given, and what became of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Final, Self

import numpy as np

from models.selftest import clips
from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.kafka import dead_letters
from schemas.kafka.topics import Topics, dead_letter_topic, retry_delay_seconds, retry_topic
from schemas.options import EnrichOptions
from schemas.roles import Role
from schemas.settings import S3Settings
from tests.chaos.failures.failure import Failure, Setup
from tests.contract.enricher.enrich_jobs import put_transcript, transcript_of, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.demo.role import RoleProcess
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.sound.recordings import Format, read, write
from tests.support.waiting import eventually

RETRY_DELAYS_SECONDS: Final = (2, 4)
WORK_SECONDS: Final = 120.0
"""Longest wait for the jobs once the failure is over."""
WORDS: Final = 60
SILENCE_SAMPLES: Final = 16_000
FORMAT: Final = Format("wav", "pcm_s16le", "wav")

SETTINGS: Final[Mapping[str, str]] = {
    "KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS": ",".join(map(str, RETRY_DELAYS_SECONDS)),
    "KASCRIBE_RUNTIME_DEPENDENCY_CHECK_SECONDS": "0.5",
    "KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS": "12",
    "KASCRIBE_RUNTIME_KILLER_REST_SECONDS": "1",
    "KASCRIBE_S3_TIMEOUT_SECONDS": "2",
    "KASCRIBE_VLLM_TIMEOUT_SECONDS": "2",
    "KASCRIBE_WHISPER_DECODER_PROCESSES": "2",
}
"""Shorter limits than the defaults, so that a row takes seconds."""


@dataclass(frozen=True, slots=True)
class Work:
    """What became of the jobs. Doubled: two events that differ; repeated: the same event again."""

    submitted: int
    completed: int
    lost: int
    doubled: int
    repeated: int
    retries: int
    letters: int
    letter_reasons: tuple[str, ...]


class Scene:
    """A role that is ready, used as a context. Jobs are distinct, and reproducible by the seed."""

    def __init__(self, failure: Failure, setup: Setup, stack: PrivateStack, directory: Path, *, seed: int) -> None:
        self.stack = stack
        self.directory = directory
        self._is_transcriber = failure.role is Role.TRANSCRIBER
        topics = Topics()
        first = topics.references if self._is_transcriber else topics.transcripts
        retries = tuple(retry_topic(first, delay) for delay in RETRY_DELAYS_SECONDS)
        answers = () if self._is_transcriber else (topics.enrichments, dead_letter_topic(first))
        self.pipeline = Pipeline(
            stack,
            directory,
            {**SETTINGS, **setup.settings},
            role=failure.role,
            also_followed=(*retries, *answers),
            launcher=setup.launcher,
            program=setup.program,
        )
        self._random = Random(seed)
        self._published: dict[str, bytes] = {}
        self._addresses: dict[str, str] = {}
        shortest = min(clips(), key=lambda clip: (not clip.text, clip.duration_seconds))
        self._sound = read(shortest.path)

    @property
    def role(self) -> RoleProcess:
        """The role's process."""
        return self.pipeline.role

    def submit(self, count: int) -> None:
        """Publish jobs, each with a recording or transcript of its own. Blocks until Kafka has them."""
        for name in self.prepare(count):
            self.publish(name)

    def prepare(self, count: int) -> list[str]:
        """Put what so many jobs need into the bucket, and return the jobs' names, to be published."""
        return [self._put_recording() if self._is_transcriber else self._put_transcript() for _ in range(count)]

    def publish(self, name: str) -> None:
        """Publish the record of a prepared job."""
        if self._is_transcriber:
            self._published[name] = self.pipeline.refer(name)
            return
        options = EnrichOptions(profiles=("title",))
        record = transcript_record(self._addresses[name], key=name, enrich=options)
        topic = self.pipeline.topics.transcripts
        self._published[name] = self.pipeline.publish(record.value or b"", topic=topic)

    def wait_for_work(self) -> bool:
        """Wait until every published job has ended; return whether all have within WORK_SECONDS."""
        try:
            eventually(lambda: not self.work().lost, timeout_seconds=WORK_SECONDS)
        except AssertionError:
            return False
        return True

    def work(self) -> Work:
        """Count what became of the jobs so far."""
        records = self.pipeline.read()
        kind = TranscriptEvent if self._is_transcriber else EnrichmentEvent
        events = Counter(
            (_name(event), event.event_id) for event in self.pipeline.events() if isinstance(event, kind)
        )
        completed = Counter(name for name, _ in events)
        letters = [dead_letters.read(record) for record in self.pipeline.dead()]
        given_up = {letter.record.value for letter in letters}
        lost = [name for name, value in self._published.items() if name not in completed and value not in given_up]
        return Work(
            submitted=len(self._published),
            completed=len(completed),
            lost=len(lost),
            doubled=completed.total() - len(completed),
            repeated=events.total() - len(events),
            retries=sum(retry_delay_seconds(record.topic) is not None for record in records),
            letters=len(letters),
            letter_reasons=tuple(sorted({letter.reason for letter in letters})),
        )

    def __enter__(self) -> Self:
        self.pipeline.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.pipeline.__exit__(kind, error, traceback)

    def _put_recording(self) -> str:
        """Store the clip with silence before it, so that no two have the same content and none is reused."""
        silence = np.zeros(self._random.randrange(1, SILENCE_SAMPLES), np.float32)
        path = write(self.directory / "recording.wav", np.concatenate([silence, self._sound]), FORMAT)
        return self.pipeline.put(path.read_bytes())

    def _put_transcript(self) -> str:
        name = f"{self._random.getrandbits(64):016x}"
        settings = S3Settings(bucket=self.pipeline.bucket)
        transcript = transcript_of(spoken(WORDS, seed=self._random.randrange(2**32)))
        self._addresses[name] = put_transcript(self.stack.s3, settings, transcript, name=name)
        return name


def _name(event: TranscriptEvent | EnrichmentEvent) -> str:
    return event.source.uri if isinstance(event, TranscriptEvent) else event.idempotency_key or ""
