"""Endless training windows from a finite corpus: clips, pauses, then gain, noise, echo and telephone lines."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from models.selftest.corpus import Corpus
from models.selftest.synthesis import Audio
from models.selftest.vocabulary import SAMPLING_RATE_HZ

SHARE_WITHOUT_SPEECH: Final = 0.15
SEGMENT_PAUSE_SECONDS: Final = 0.55
"""A pause this long ends a segment; composed pauses stay well above or below it."""


@dataclass(frozen=True)
class Segment:
    """Words spoken without a long pause, and their time."""

    start_seconds: float
    end_seconds: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """Audio of a fixed length and its words; no segments means no speech."""

    samples: Audio
    language: str
    segments: tuple[Segment, ...]
    spans_seconds: tuple[tuple[float, float], ...] = ()
    """The time of each word; approximate where a clip holds several."""

    @property
    def words(self) -> tuple[str, ...]:
        """All words in order."""
        return tuple(word for segment in self.segments for word in segment.words)


class Composer:
    """Composer of windows from a corpus. Not thread-safe."""

    def __init__(self, corpus: Corpus, *, seed: int) -> None:
        self._corpus = corpus
        self._rng = np.random.default_rng(seed)
        self._by_language = {
            language: [i for i in range(len(corpus)) if corpus.words[i] and corpus.languages[i] == language]
            for language in ("en", "ko")
        }
        self._other_speech = [i for i in range(len(corpus)) if not corpus.words[i]]
        self._longest_clip_seconds = max(corpus.seconds(i) for i in range(len(corpus)))

    def window(self, seconds: float) -> Window:
        """Compose one window, augmented."""
        language = "en" if self._rng.random() < 0.5 else "ko"
        if self._rng.random() < SHARE_WITHOUT_SPEECH:
            return Window(self._without_speech(seconds), language, ())
        samples, segments, spans = self._speech(language, seconds)
        return Window(self._augment(samples), language, tuple(segments), tuple(spans))

    def _speech(self, language: str, seconds: float) -> tuple[Audio, list[Segment], list[tuple[float, float]]]:
        rng = self._rng
        window = np.zeros(round(seconds * SAMPLING_RATE_HZ), np.float32)
        segments: list[Segment] = []
        spans: list[tuple[float, float]] = []
        at = float(rng.uniform(0.02, 0.5)) if rng.random() < 0.85 else float(rng.uniform(0, seconds / 2))
        long_pause_share = float(rng.choice((0.0, 0.1, 0.5)))
        limit = int(rng.integers(1, max(3, round(2.0 * seconds))))
        words = 0
        for _attempt in range(60):
            clip, clip_words = self._clip(language)
            end = at + len(clip) / SAMPLING_RATE_HZ
            if end > seconds - 0.02:
                if segments and rng.random() < 0.5:
                    break
                at = at if segments else float(rng.uniform(0, 0.3))
                continue
            start = round(at * SAMPLING_RATE_HZ)
            window[start : start + len(clip)] += clip[: len(window) - start]
            _append(segments, Segment(at, end, clip_words))
            spans += _spans(at, end, clip_words)
            words += len(clip_words)
            if words >= limit:
                break
            long_pause = rng.random() < long_pause_share
            at = end + float(rng.uniform(0.65, 2.0) if long_pause else rng.uniform(0.0, 0.35))
        return window, segments, spans

    def _clip(self, language: str) -> tuple[Audio, tuple[str, ...]]:
        indexes = self._by_language[language]
        index = indexes[int(self._rng.integers(len(indexes)))]
        clip = self._corpus.audio(index)
        if self._rng.random() < 0.3:
            factor = self._rng.uniform(0.9, 1.1)
            clip = np.interp(np.arange(0, len(clip) - 1, factor), np.arange(len(clip)), clip).astype(np.float32)
        peak = float(np.abs(clip).max(initial=1e-3))
        return clip * np.float32(10 ** (self._rng.uniform(-12, 0) / 20) / peak), self._corpus.words[index]

    def _without_speech(self, seconds: float) -> Audio:
        rng = self._rng
        count = round(seconds * SAMPLING_RATE_HZ)
        level = np.float32(10 ** (rng.uniform(-70, -6) / 20))
        kind = rng.random()
        if kind < 0.12:
            return np.zeros(count, np.float32)
        if kind < 0.45:
            return noise(count, rng) * level
        window = np.zeros(count, np.float32)
        if kind < 0.70:
            for _tone in range(int(rng.integers(1, 9))):
                _add(window, tone(rng), rng)
        elif self._other_speech:
            backwards = rng.random() < 0.4
            indexes = self._by_language["en" if rng.random() < 0.5 else "ko"] if backwards else self._other_speech
            for _clip in range(int(rng.integers(1, 4))):
                clip = self._corpus.audio(indexes[int(rng.integers(len(indexes)))])
                _add(window, clip[::-1] if backwards else clip, rng)
        return self._augment(window)

    def _augment(self, window: Audio) -> Audio:
        rng = self._rng
        if rng.random() < 0.12:
            window = band_limited(window, rng)
        if rng.random() < 0.08:
            window = echoed(window, rng)
        peak = float(np.abs(window).max(initial=0.0))
        if peak > 0:
            window = window * np.float32(10 ** (rng.uniform(-25, -0.5) / 20) / peak)
        if rng.random() < 0.5:
            loud = window[np.abs(window) > 0.02 * np.abs(window).max(initial=0.0)]
            power = float(np.sqrt(np.mean(loud**2))) if len(loud) else 0.01
            window = window + noise(len(window), rng) * np.float32(power * 10 ** (-rng.uniform(11, 40) / 20))
        return window.astype(np.float32)


def _append(segments: list[Segment], spoken: Segment) -> None:
    """Append a segment, or join it to the last one when no long pause is between them."""
    last = segments[-1] if segments else None
    if last is not None and spoken.start_seconds - last.end_seconds < SEGMENT_PAUSE_SECONDS:
        segments[-1] = Segment(last.start_seconds, spoken.end_seconds, last.words + spoken.words)
    else:
        segments.append(spoken)


def _spans(start: float, end: float, words: tuple[str, ...]) -> list[tuple[float, float]]:
    """Divide the time of a clip among its words by their letters, with some slack between neighbours."""
    letters = [2 + len(word.encode()) for word in words]
    scale = (end - start) / sum(letters)
    edges = [start + scale * sum(letters[:index]) for index in range(len(words) + 1)]
    slack = 0.1 if len(words) > 1 else 0.0
    return [(max(start, left - slack), min(end, right + slack)) for left, right in pairwise(edges)]


def _add(window: Audio, sound: Audio, rng: np.random.Generator) -> None:
    """Mix a sound into a window at a random place, cut to fit."""
    sound = sound[: len(window)]
    start = int(rng.integers(0, len(window) - len(sound) + 1))
    window[start : start + len(sound)] += sound


def noise(count: int, rng: np.random.Generator) -> Audio:
    """Generate noise of unit power, with a spectrum that falls by a random power of frequency: white to brown."""
    spectrum = np.fft.rfft(rng.standard_normal(count, dtype=np.float32))
    slope = rng.choice((0.0, 0.5, 1.0, rng.uniform(0, 1.2)))
    frequencies = np.maximum(np.arange(len(spectrum)), count / SAMPLING_RATE_HZ * 20)
    shaped = np.fft.irfft(spectrum * frequencies**-slope, n=count).astype(np.float32)
    if rng.random() < 0.2:
        shaped *= 1 + 0.8 * np.sin(np.arange(count) * rng.uniform(1e-5, 3e-3)).astype(np.float32)
    return np.asarray(shaped / max(1e-9, float(np.sqrt(np.mean(shaped**2)))), np.float32)


def tone(rng: np.random.Generator) -> Audio:
    """Generate a beep, a chord, a chirp or a click of up to two seconds."""
    count = int(rng.uniform(0.02, 2.0) * SAMPLING_RATE_HZ)
    time = np.arange(count) / SAMPLING_RATE_HZ
    pitch = rng.uniform(60, 2_000)
    glide = rng.choice((0.0, rng.uniform(-0.5, 0.5)))
    phase = 2 * np.pi * pitch * (time + 0.5 * glide * time**2)
    sound = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, int(rng.integers(2, 7))))
    return np.asarray(sound * np.exp(-time * rng.choice((0.0, 3.0, 30.0))) * rng.uniform(0.05, 0.4), np.float32)


def band_limited(window: Audio, rng: np.random.Generator) -> Audio:
    """Limit the band as a telephone or a poor microphone does."""
    spectrum = np.fft.rfft(window)
    frequencies = np.fft.rfftfreq(len(window), 1 / SAMPLING_RATE_HZ)
    low, high = rng.uniform(50, 350), rng.uniform(3_000, 7_000)
    gain = 1 / (1 + (low / np.maximum(frequencies, 1)) ** 4) / (1 + (frequencies / high) ** 8)
    return np.fft.irfft(spectrum * gain, n=len(window)).astype(np.float32)


def echoed(window: Audio, rng: np.random.Generator) -> Audio:
    """Add the echo of a small room: convolve with a decaying tail of noise."""
    count = int(rng.uniform(0.05, 0.25) * SAMPLING_RATE_HZ)
    response = rng.standard_normal(count) * np.exp(-np.arange(count) * 6.9 / count) * rng.uniform(0.01, 0.08)
    response[0] = 1.0
    length = len(window) + count
    return np.fft.irfft(np.fft.rfft(window, length) * np.fft.rfft(response, length), length)[: len(window)].astype(
        np.float32
    )
