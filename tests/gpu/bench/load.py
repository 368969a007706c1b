"""The load: recordings in many formats, made of short clips of speech, and the order in which they are taken."""

import itertools
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tests.sound.recordings import FORMATS, SAMPLE_RATE_HERTZ, Format, Sound, read, write

CLIPS: Final = Path(__file__).parents[2] / "held_out"
SHORT_COUNT, MIDDLE_COUNT, LONG_COUNT = 12, 6, 2
"""60, 30 and 10 per cent."""
SHORT_SECONDS: Final = (2.0, 15.0)
MIDDLE_SECONDS: Final = (60.0, 180.0)
LONG_SECONDS: Final = 600.0
PAUSE_SECONDS: Final = (0.1, 0.6)
WRITERS: Final = 8
_FORMATS: Final = tuple(form for form in FORMATS.values() if not form.video)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, and how long it is."""

    path: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """Recordings of all lengths in a random order, and the short ones among them."""

    mixed: Sequence[Recording]
    short: Sequence[Recording]

    def of(self, name: str) -> Sequence[Recording]:
        """Return the recordings of a row's load."""
        return self.short if name == "short clips" else self.mixed

    @property
    def shortest(self) -> Recording:
        """The recording that warms a subject up."""
        return min(self.short, key=lambda recording: recording.seconds)


class Files:
    """Hands out recordings in turn, for ever, to any thread."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._endless = itertools.cycle(recordings)
        self._lock = threading.Lock()

    def take(self) -> Recording:
        """Return the next recording."""
        with self._lock:
            return next(self._endless)


def write_load(directory: Path, *, scale: float = 1.0) -> Load:
    """Write the recordings; the same ones each time. ``scale`` shortens all but the short ones. Takes seconds."""
    generator = random.Random(5)
    clips = [read(path) for path in sorted(CLIPS.glob("*-en.ogg"))]
    short = [generator.uniform(*SHORT_SECONDS) for _ in range(SHORT_COUNT)]
    middle = [generator.uniform(*MIDDLE_SECONDS) * scale for _ in range(MIDDLE_COUNT)]
    lengths = [*short, *middle, *[LONG_SECONDS * scale] * LONG_COUNT]
    sounds = [_speech(clips, seconds, generator) for seconds in lengths]
    directory.mkdir(parents=True, exist_ok=True)

    def one(number: int) -> Recording:
        form: Format = _FORMATS[number % len(_FORMATS)]
        return Recording(write(directory / f"{number}.{form.suffix}", sounds[number], form), lengths[number])

    with ThreadPoolExecutor(WRITERS) as writers:
        recordings = list(writers.map(one, range(len(lengths))))
    mixed = list(recordings)
    generator.shuffle(mixed)
    return Load(mixed=mixed, short=recordings[:SHORT_COUNT])


def _speech(clips: Sequence[Sound], seconds: float, generator: random.Random) -> Sound:
    parts: list[Sound] = []
    samples = 0
    wanted = round(seconds * SAMPLE_RATE_HERTZ)
    while samples < wanted:
        pause = np.zeros(round(generator.uniform(*PAUSE_SECONDS) * SAMPLE_RATE_HERTZ), np.float32)
        parts += [generator.choice(clips), pause]
        samples += len(parts[-2]) + len(pause)
    return np.concatenate(parts)[:wanted]
