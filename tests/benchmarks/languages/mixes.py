"""Recordings in several languages, joined in memory from recordings in one."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from models.media.speech.windows import SAMPLE_RATE_HERTZ
from tests.benchmarks.speech.corpus import Recording

Audio = NDArray[np.float32]

LONG_SECONDS: Final = 4.0
"""A recording from this length is long enough to be recognised by itself."""
SHORT_SECONDS: Final = 1.7
"""A recording up to this length holds a word or two."""
LONGEST_SECONDS: Final = 20.0
"""Longer recordings are cut here; their text is then not known."""
GAPS_SECONDS: Final = (0.2, 0.9)
"""Shortest and longest silence between two parts."""
PEAK: Final = 0.5
"""Parts are equally loud, so that no one sounds like background."""
LEFT_OUT: Final = ("derived/", "stereo", "gongxifachai", "wenet_long", "hotwords", "ps_", "0016001", "snt2.wav")
"""Copies of other recordings, and recordings that two people would not write down alike."""
KINDS: Final = ("changes", "word inside", "word first", "two turns", "one language")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording's samples at 16 kHz, with its text where that is known."""

    name: str
    language: str
    text: str | None
    samples: Audio

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE_HERTZ


@dataclass(frozen=True, slots=True)
class Part:
    """A clip's place in a mix, in samples."""

    clip: Clip
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mix:
    """Clips one after another, with silence between them."""

    name: str
    kind: str
    parts: tuple[Part, ...]
    samples: Audio

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages spoken, in order of first use."""
        return tuple(dict.fromkeys(part.clip.language for part in self.parts))


def clips_of(recordings: Sequence[Recording]) -> tuple[Clip, ...]:
    """Decode the recordings that hold speech in a known language, each text once."""
    clips: list[Clip] = []
    texts: set[str] = set()
    for each in recordings:
        if each.language == "none" or any(part in each.name for part in LEFT_OUT) or (each.text or "") in texts:
            continue
        if each.text:
            texts.add(each.text)
        samples = np.asarray(decode_audio(str(each.path)), np.float32)
        whole = len(samples) <= LONGEST_SECONDS * SAMPLE_RATE_HERTZ
        samples = samples[: int(LONGEST_SECONDS * SAMPLE_RATE_HERTZ)]
        samples = samples * np.float32(PEAK / max(1e-6, float(np.abs(samples).max())))
        clips.append(Clip(each.name, each.language, each.text if whole else None, samples))
    return tuple(clips)


def mixes_of(clips: Sequence[Clip], *, count: int, seed: int) -> Iterator[Mix]:
    """Yield mixes of all kinds in turn. Equal arguments give equal mixes, and more of them the same first ones."""
    rng = random.Random(seed)
    chooser = _Chooser(clips, rng)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield _joined(f"{number:02} {kind}", kind, chooser.choose(kind), rng)


def single(clip: Clip) -> Mix:
    """Return a file of one clip."""
    return Mix(clip.name, "one clip", (Part(clip, 0, len(clip.samples)),), clip.samples)


class _Chooser:
    """Choice of the clips of a mix. Each language is as likely as any other, however many clips it has."""

    def __init__(self, clips: Sequence[Clip], rng: random.Random) -> None:
        self._rng = rng
        self._long: defaultdict[str, list[Clip]] = defaultdict(list)
        self._words = [clip for clip in clips if clip.seconds <= SHORT_SECONDS and clip.text]
        for clip in clips:
            if clip.seconds >= LONG_SECONDS:
                self._long[clip.language].append(clip)

    def choose(self, kind: str) -> list[Clip]:
        """Choose the clips for a mix of this kind, in order."""
        if kind == "changes":
            return [self._one(language) for language in self._languages(4)]
        if kind == "two turns":
            return [clip for language in self._languages(2) for clip in self._several(language, 2)]
        word = self._rng.choice(self._words)
        (language,) = self._languages(1, but=word.language)
        clips = self._several(language, 2)
        return {"word inside": [clips[0], word, *clips[1:]], "word first": [word, *clips]}.get(
            kind, self._several(self._rng.choice(sorted(self._long)), 3)
        )

    def _languages(self, count: int, *, but: str | None = None) -> list[str]:
        return self._rng.sample(sorted(language for language in self._long if language != but), count)

    def _one(self, language: str) -> Clip:
        return self._rng.choice(self._long[language])

    def _several(self, language: str, count: int) -> list[Clip]:
        known = self._long[language]
        return self._rng.sample(known, min(count, len(known)))


def _joined(name: str, kind: str, clips: Sequence[Clip], rng: random.Random) -> Mix:
    pieces: list[Audio] = []
    parts: list[Part] = []
    at = 0
    for clip in clips:
        gap = np.zeros(int(rng.uniform(*GAPS_SECONDS) * SAMPLE_RATE_HERTZ), np.float32)
        parts.append(Part(clip, at, at + len(clip.samples)))
        pieces += [clip.samples, gap]
        at += len(clip.samples) + len(gap)
    return Mix(name, kind, tuple(parts), np.concatenate(pieces))
