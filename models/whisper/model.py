"""CTranslate2's Whisper, as batches of rows. The only module that calls it."""

import os
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, Protocol

import ctranslate2
import numpy as np

from models.media.speech.windows import WINDOW_FRAMES
from models.whisper.device import device_of, parallelism
from models.whisper.gate import Decoded
from models.whisper.rows import Align, Alignment, Decode, Detect, Features, Languages, Result, Sound, Work
from models.whisper.text.vocabulary import CONTEXT_TOKENS, Vocabulary
from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings

NEW_TOKENS = CONTEXT_TOKENS // 2
"""CTranslate2 decodes at most half the context, or what the prompt leaves."""
LOOP_TOKENS = 8
"""With a penalty, so many tokens in a row may not come twice in one window: longer than any refrain of speech."""
SECONDS_PER_ALIGNMENT_STEP = 0.02
_MEMORY_WORDS = ("out of memory", "failed to allocate", "cublas_status_alloc_failed", "bad_alloc")
_DEVICE_WORDS = ("cuda failed", "cublas failed", "cudnn failed")


class OutOfMemory(Exception):
    """The batch does not fit; a smaller one may."""


class DeviceLost(Exception):
    """The device answers no call of this process any more: CUDA's errors stick to it."""


class Model(Protocol):
    """What the engine needs of a model. Called from several threads at once."""

    def answer(self, sounds: Sequence[Sound], works: Sequence[Work]) -> Sequence[Result]:
        """One result per row. Rows share a batch key. Blocks; raises OutOfMemory, DeviceLost, or anything else."""
        ...


class WhisperModel:
    """A loaded model. ``answer`` blocks without holding the interpreter; safe from several threads."""

    def __init__(self, settings: WhisperSettings, directory: Path) -> None:
        self.device = device_of(settings)
        self.parallelism = parallelism(settings, device=self.device, cores=len(os.sched_getaffinity(0)))
        try:
            self._whisper = ctranslate2.models.Whisper(
                str(directory),
                device=self.device,
                device_index=settings.device_index if self.device == "cuda" else 0,
                compute_type=settings.compute_type,
                inter_threads=self.parallelism.replicas,
                intra_threads=self.parallelism.threads,
            )
        except (RuntimeError, ValueError) as failed:
            raise ConfigurationError(f"the model in {directory} cannot be loaded: {failed}") from failed
        self.multilingual = bool(self._whisper.is_multilingual)
        self.mel_bands = int(self._whisper.n_mels)
        self.compute_type = str(self._whisper.compute_type)
        self.vocabulary = Vocabulary(directory, multilingual=self.multilingual)
        self._encoding_type: Any = None

    def answer(self, sounds: Sequence[Sound], works: Sequence[Work]) -> Sequence[Result]:
        """One result per row."""
        try:
            encoded = self._encode(sounds)
            head = works[0]
            if isinstance(head, Detect):
                return [_languages(found) for found in self._whisper.detect_language(encoded)]
            if isinstance(head, Decode):
                return self._decode(encoded, [work for work in works if isinstance(work, Decode)])
            return self._align(encoded, sounds, [work for work in works if isinstance(work, Align)])
        except RuntimeError as failed:
            said = str(failed).lower()
            if any(word in said for word in _MEMORY_WORDS):
                raise OutOfMemory(str(failed)) from failed
            if any(word in said for word in _DEVICE_WORDS):
                raise DeviceLost(str(failed)) from failed
            raise

    def silence(self) -> Features:
        """A second of features in which there is nothing, to warm up with."""
        return np.zeros((self.mel_bands, 100), np.float32)

    def close(self) -> None:
        """Gives the model's memory back."""
        self._whisper.unload_model()

    def _encode(self, sounds: Sequence[Sound]) -> Any:
        """The batch's encodings, computed where a row was not encoded before.

        They wait in host memory between language, text and word times: on a GPU the way there and back costs
        a twentieth of encoding again.
        """
        missing = [sound for sound in sounds if sound.encoded is None]
        if missing:
            view = self._whisper.encode(self._features(missing), to_cpu=True)
            self._encoding_type = view.dtype
            if view.dtype == ctranslate2.DataType.bfloat16:  # numpy has no such type
                view = view.to(ctranslate2.DataType.float32)
            for sound, encoded in zip(missing, np.array(view), strict=True):
                sound.encoded = encoded
        together = np.stack([sound.encoded for sound in sounds if sound.encoded is not None])
        stacked = ctranslate2.StorageView.from_array(together)
        return stacked if stacked.dtype == self._encoding_type else stacked.to(self._encoding_type)

    def _features(self, sounds: Sequence[Sound]) -> Any:
        batch = np.zeros((len(sounds), self.mel_bands, WINDOW_FRAMES), np.float32)
        for row, sound in zip(batch, sounds, strict=True):
            features = sound.read()
            row[:, : features.shape[1]] = features
        return ctranslate2.StorageView.from_array(batch)

    def _decode(self, encoded: Any, works: Sequence[Decode]) -> list[Decoded]:
        head = works[0]
        results = self._whisper.generate(
            encoded,
            [list(work.prompt) for work in works],
            beam_size=head.beam_size,
            repetition_penalty=head.penalty,
            no_repeat_ngram_size=LOOP_TOKENS if head.penalty > 1 else 0,
            max_length=CONTEXT_TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=list(self.vocabulary.suppressed),
        )
        limit = min(NEW_TOKENS, CONTEXT_TOKENS - len(head.prompt))
        return [self._decoded(result, limit, head.penalty) for result in results]

    def _decoded(self, result: Any, limit: int, penalty: float) -> Decoded:
        tokens = tuple(result.sequences_ids[0])
        return Decoded(
            tokens=tokens,
            text=self.vocabulary.text(tokens),
            # The score is the mean over the tokens; the end-of-text token counts in the average.
            avg_logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech_prob=result.no_speech_prob,
            penalty=penalty,
            truncated=len(tokens) >= limit,
        )

    def _align(self, encoded: Any, sounds: Sequence[Sound], works: Sequence[Align]) -> list[Alignment]:
        results = self._whisper.align(
            encoded,
            list(self.vocabulary.start(language=works[0].language, task=works[0].task)),
            [list(work.tokens) for work in works],
            [min(WINDOW_FRAMES, ceil(sound.duration_seconds) * 100) for sound in sounds],
        )
        return [_alignment(result) for result in results]


def _languages(found: Sequence[tuple[str, float]]) -> Languages:
    return tuple((token.strip("<|>"), probability) for token, probability in found)


def _alignment(result: Any) -> Alignment:
    starts: list[float] = []
    before = -1
    for token, step in result.alignments:
        if token != before:
            starts.append(step * SECONDS_PER_ALIGNMENT_STEP)
            before = token
    return Alignment(starts_seconds=tuple(starts), probabilities=tuple(result.text_token_probs))
