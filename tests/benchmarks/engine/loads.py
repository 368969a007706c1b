"""What is transcribed: real recordings, or those that come with the repository."""

import os
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from tests.benchmarks.speech.corpus import bundled_recordings, recordings_in

SPEECH_VARIABLE: Final = "KASCRIBE_TEST_SPEECH"
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Load:
    """Files, the seconds of audio in them, and what they are."""

    paths: tuple[Path, ...]
    audio_seconds: float
    title: str


def real_speech(seconds: float) -> Load:
    """Take recordings of ``KASCRIBE_TEST_SPEECH`` in a fixed random order until there are so many seconds.

    Without that variable: the recordings that come with the repository, again and again.
    """
    named = os.environ.get(SPEECH_VARIABLE)
    if named:
        paths = [each.path for each in recordings_in(Path(named)) if each.language != "none"]
        random.Random(SEED).shuffle(paths)
        return _taken(paths, seconds, "recordings of real speech")
    bundled = [each.path for each in bundled_recordings()]
    total = sum(map(audio_seconds, bundled))
    times = max(1, round(seconds / total))
    return _taken(bundled * times, seconds, "synthetic recordings of the self-test")


def _taken(paths: Sequence[Path], seconds: float, title: str) -> Load:
    taken: list[Path] = []
    total = 0.0
    for path in paths:
        if total >= seconds:
            break
        with suppress(av.FFmpegError):  # a damaged recording, which not every system accepts
            total += audio_seconds(path)
            taken.append(path)
    return Load(tuple(taken), total, title)


def audio_seconds(path: Path) -> float:
    """Decode a recording and return its length. Raises av.FFmpegError when it cannot be decoded."""
    with av.open(str(path)) as container:
        return sum(float(frame.samples / frame.sample_rate) for frame in container.decode(audio=0))
