"""The real model's host work over a CTranslate2 that takes time and hears nothing."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import ctranslate2

from models import selftest
from models.whisper.gate import Action
from models.whisper.inference.features import FeatureBatch, FeatureBuffers
from models.whisper.inference.model import FRAMES_PER_ENCODER_STEP, WhisperModel
from models.whisper.rows import TOKENS_PER_SECOND, Hear, Heard
from models.whisper.text.vocabulary import Vocabulary
from schemas.clock import SystemClock
from tests.benchmarks.simulation.costs import MEL_BANDS, Costs
from tests.benchmarks.simulation.device import Device, pause

SPREAD: Final = 0.15
"""Speakers say up to this much more or less than is usual in the language."""
TOKEN_LIMIT: Final = 224
COMMON_TOKENS: Final = 1_000
"""Of these, the small vocabulary has text for some hundred."""
IMPROBABLE: Final = -1.5
PROBABLE: Final = -0.2


@dataclass(frozen=True, slots=True)
class Speech:
    """What windows hold. ``retried`` is the share whose first text is improbable, so that it is searched again."""

    language: str = "en"
    retried: float = 0.0

    def tokens(self, frames: int) -> int:
        """Return the length of a window's text; equal windows have equal texts."""
        spread = 1 + SPREAD * (2 * _fraction(frames) - 1)
        return max(1, min(TOKEN_LIMIT, round(frames / 100 * TOKENS_PER_SECOND[self.language] * spread)))

    def is_improbable(self, frames: int, operation: Hear) -> bool:
        """Return whether this attempt finds a text that the gate tries to improve."""
        return not operation.attempts and _fraction(frames + 1) < self.retried


def _fraction(frames: int) -> float:
    return frames * 2_654_435_761 % 2**32 / 2**32


@dataclass(frozen=True, slots=True)
class _Found:
    sequences_ids: Sequence[Sequence[int]]
    scores: Sequence[float]
    no_speech_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Its lists are made when they are read, as by CTranslate2's bindings."""

    tokens: int
    steps: int

    @property
    def alignments(self) -> list[tuple[int, int]]:
        return [(step * self.tokens // self.steps, step) for step in range(self.steps)]

    @property
    def text_token_probs(self) -> list[float]:
        return [0.9] * self.tokens


class TimedWhisper:
    """What ``WhisperModel`` uses of ``ctranslate2.models.Whisper``; only the times are true.

    Each thread says first what it will ask about: results depend on lengths, which silence does not tell.
    """

    def __init__(self, device: Device, speech: Speech, vocabulary: Vocabulary, costs: Costs) -> None:
        self._device = device
        self._speech = speech
        self._costs = costs
        self._texts = _texts(vocabulary)
        self._languages = [(f"<|{speech.language}|>", 0.9)]
        others = sorted(vocabulary.languages - {speech.language})
        self._languages += [(f"<|{code}|>", 0.1 / len(others)) for code in others]
        self._expected = threading.local()

    def expect(self, frames: Sequence[int], operations: Sequence[Hear]) -> None:
        """Take the windows of the call that this thread is about to make."""
        self._expected.frames = frames
        self._expected.operations = operations

    def encode(self, features: ctranslate2.StorageView) -> int:
        """Return the number of rows, which stands for their encodings."""
        rows = int(features.shape[0])
        pause(self._costs.upload(rows))
        self._device.run(self._costs.encode(rows))
        return rows

    def detect_language(self, encoded: int) -> list[list[tuple[str, float]]]:
        """Return all languages for each row, the spoken one first."""
        self._device.run(self._costs.detect(encoded))
        return [list(self._languages) for _ in range(encoded)]

    def generate(self, encoded: int, prompts: Sequence[Sequence[int]], **_: object) -> list[_Found]:
        """Return a text of its length for each row."""
        assert len(prompts) == encoded
        lengths = [self._speech.tokens(frames) for frames in self._expected.frames]
        self._device.run(self._costs.decode(lengths))
        return [
            self._found(length, frames, operation)
            for length, frames, operation in zip(
                lengths, self._expected.frames, self._expected.operations, strict=True
            )
        ]

    def _found(self, length: int, frames: int, operation: Hear) -> _Found:
        first = frames % (len(self._texts) - length)
        score = IMPROBABLE if self._speech.is_improbable(frames, operation) else PROBABLE
        return _Found([self._texts[first : first + length]], [score])

    def align(
        self, encoded: int, start: Sequence[int], texts: Sequence[Sequence[int]], frames: Sequence[int]
    ) -> list[_Aligned]:
        """Return times for each row."""
        assert start
        assert len(texts) == encoded
        lengths = [len(text) for text in texts]
        self._device.run(self._costs.align(lengths))
        pause(self._costs.time_warping(lengths, frames))
        steps = (max(1, count // FRAMES_PER_ENCODER_STEP) for count in frames)
        return [_Aligned(*each) for each in zip(lengths, steps, strict=True)]


def _texts(vocabulary: Vocabulary) -> list[int]:
    """Return tokens of words in an order that repeats nothing, so that the gate finds no loop."""
    known = [token for token in range(COMMON_TOKENS) if vocabulary.text((token,)).strip().isalnum()]
    return random.Random(len(known)).choices(known, k=4 * TOKEN_LIMIT)


class TimedModel(WhisperModel):
    """The real model, except for what it calls: prompts, gate, buffers and unpacking are the product's own."""

    def __init__(self, device: Device, speech: Speech, costs: Costs | None = None) -> None:
        # Not WhisperModel's own beginning, which loads weights.
        self.device = "cuda"
        self.multilingual = True
        self.mel_bands = MEL_BANDS
        self.compute_type = "float16"
        self.vocabulary = Vocabulary(selftest.path(), multilingual=True)
        self._whisper = self.timed = TimedWhisper(device, speech, self.vocabulary, costs or Costs())
        self._buffers = FeatureBuffers(self.mel_bands)
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self.heard: list[tuple[float, float]] = []
        """When each call ended, and the seconds of its windows, without those to be searched again."""

    def hear(self, batch: FeatureBatch, operations: Sequence[Hear]) -> Sequence[Heard]:
        """Return one result per row."""
        self.timed.expect(batch.frames, operations)
        results = super().hear(batch, operations)
        done = (Action.ACCEPT, Action.SILENCE)
        frames = (
            count for count, each in zip(batch.frames, results, strict=True) if each.judgement.action in done
        )
        with self._lock:
            self.heard.append((self._clock.monotonic(), sum(frames) / 100))
        return results
