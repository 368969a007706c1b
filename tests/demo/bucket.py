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
    """A file that was dropped: when (monotonic seconds), and the text it contains."""

    name: str
    key: str
    expected_text: str
    dropped_at: float


@dataclass
class Arrivals:
    """What the topics hold so far: the first transcript of each object, when it came, and how many came."""

    first: dict[str, TranscriptEvent] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[ProgressEvent] = field(default_factory=list)


class Watcher:
    """A reader of the transcripts of one stack, from now on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.arrivals = Arrivals()
        self._feed = JobFeed(settings, start=Start.NOW)
        self._events = self._feed.events()

    def collect(self) -> Arrivals:
        """Collect the events that have arrived; return when no more come for a moment."""
        while (event := next(self._events)) is not None:
            if isinstance(event, TranscriptEvent):
                key = event.source.uri.split("/", 3)[3]
                self.arrivals.first.setdefault(key, event)
                self.arrivals.seen_at.setdefault(key, time.monotonic())
                self.arrivals.counts[key] += 1
            elif isinstance(event, ProgressEvent) and event.phase is Phase.FAILED:
                self.arrivals.failures.append(event)
        return self.arrivals

    def has(self, keys: Iterable[str]) -> bool:
        """Return whether each of these objects has its transcript."""
        first = self.collect().first
        return all(key in first for key in keys)

    def close(self) -> None:
        """Stop reading."""
        self._feed.close()


def make_files(directory: Path, sound: Sound) -> dict[str, Path]:
    """Write the sound in every format; return the files by the format's name."""
    return {
        name: write(directory / f"{index}.{form.suffix}", sound, form)
        for index, (name, form) in enumerate(FORMATS.items())
    }


def drop(
    stack: Stack, bucket: str, path: Path, *, key: str, name: str, expected_text: str, **metadata: str
) -> Drop:
    """Copy a file into the bucket with an S3 client; the moment counts from before the copy."""
    s3: Any = stack.s3()
    started = time.monotonic()
    with path.open("rb") as body:
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
    return Drop(name, key, expected_text, started)
