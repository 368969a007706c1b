"""Drops into a bucket, and what comes back on the topic."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumers.kafka.follower import Start
from deploy.stack import Stack
from kascribe.console.following import JobFeed
from schemas.events import Phase, ProgressEvent, TranscriptEvent
from schemas.settings import KafkaSettings
from tests.sound.recordings import FORMATS, Sound, write


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that was dropped: when (monotonic seconds), and what it says."""

    name: str
    key: str
    expected_text: str
    dropped_at: float


@dataclass
class Answered:
    """What the topics said: the first transcript of each object, when it came, and how many came."""

    first: dict[str, TranscriptEvent] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[ProgressEvent] = field(default_factory=list)


class Watcher:
    """Follows the transcripts of one stack from now on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.answered = Answered()
        self._feed = JobFeed(settings, start=Start.NOW)
        self._events = self._feed.events()

    def collect(self) -> Answered:
        """Takes in what has arrived; returns when nothing more is there for a moment."""
        while (event := next(self._events)) is not None:
            if isinstance(event, TranscriptEvent):
                key = event.source.uri.split("/", 3)[3]
                self.answered.first.setdefault(key, event)
                self.answered.seen_at.setdefault(key, time.monotonic())
                self.answered.counts[key] += 1
            elif isinstance(event, ProgressEvent) and event.phase is Phase.FAILED:
                self.answered.failures.append(event)
        return self.answered

    def has(self, keys: Iterable[str]) -> bool:
        """Whether each of these objects has its transcript."""
        first = self.collect().first
        return all(key in first for key in keys)

    def close(self) -> None:
        """Stops following."""
        self._feed.close()


def make_files(directory: Path, sound: Sound) -> dict[str, Path]:
    """The sound in every format, by the format's name."""
    return {
        name: write(directory / f"{index}.{form.suffix}", sound, form)
        for index, (name, form) in enumerate(FORMATS.items())
    }


def drop(
    stack: Stack, bucket: str, path: Path, *, key: str, name: str, expected_text: str, **metadata: str
) -> Drop:
    """Copies a file into the bucket with an S3 client; the moment counts from before the copy."""
    s3: Any = stack.s3()
    started = time.monotonic()
    with path.open("rb") as body:
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
    return Drop(name, key, expected_text, started)
