"""CTranslate2's Whisper, called with batches of rows. The only module that calls it."""

import os
from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, Final, Protocol

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import WINDOW_FRAMES
from models.whisper.device import compute_type_of, device_of, parallelism
from models.whisper.gate import Decoded, Search
from models.whisper.rows import (
    Align,
    Alignment,
    Decode,
    DetectLanguage,
    DetectSpans,
    EncoderInput,
    Features,
    Languages,
    Operation,
    Result,
    SpanLanguages,
)
from models.whisper.text.vocabulary import CONTEXT_TOKENS, Vocabulary
from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings

NEW_TOKENS: Final = CONTEXT_TOKENS // 2
"""CTranslate2 decodes at most half the context, or what the prompt leaves."""
SECONDS_PER_ALIGNMENT_STEP: Final = 0.02
FRAMES_PER_ENCODER_STEP: Final = 2
PART_STEPS: Final = 25
"""Half a second of encoding: so the parts of many spans have few lengths, and share calls."""
_MEMORY_WORDS: Final = ("out of memory", "failed to allocate", "cublas_status_alloc_failed", "bad_alloc")
_DEVICE_WORDS: Final = ("cuda failed", "cublas failed", "cudnn failed")


class OutOfMemory(Exception):
    """The batch does not fit; a smaller one may."""


class DeviceLost(Exception):
    """The device fails every further call of this process: CUDA errors are sticky."""


class Model(Protocol):
    """The engine's port to a model. Called from several threads at once."""

    def infer(self, inputs: Sequence[EncoderInput], operations: Sequence[Operation]) -> Sequence[Result]:
        """Return one result per row. Rows share a batch key. Blocks.

        Raises OutOfMemory, DeviceLost, or any other error.
        """
        ...


class WhisperModel:
    """A loaded model. ``infer`` blocks without holding the GIL; safe from several threads."""

    def __init__(self, settings: WhisperSettings, directory: Path) -> None:
        self.device = device_of(settings)
        self.parallelism = parallelism(settings, device=self.device, cores=len(os.sched_getaffinity(0)))
        try:
            self._whisper = ctranslate2.models.Whisper(
                str(directory),
                device=self.device,
                device_index=settings.device_index if self.device == "cuda" else 0,
                compute_type=compute_type_of(settings, device=self.device),
                inter_threads=self.parallelism.replicas,
                intra_threads=self.parallelism.threads,
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigurationError(f"the model in {directory} cannot be loaded: {error}") from error
        self.multilingual = bool(self._whisper.is_multilingual)
        self.mel_bands = int(self._whisper.n_mels)
        self.compute_type = str(self._whisper.compute_type)
        self.vocabulary = Vocabulary(directory, multilingual=self.multilingual)
        self._encoding_type: Any = None

    def infer(self, inputs: Sequence[EncoderInput], operations: Sequence[Operation]) -> Sequence[Result]:
        """Return one result per row."""
        try:
            encoded = self._encode(inputs)
            head = operations[0]
            if isinstance(head, DetectLanguage):
                return [_languages(found) for found in self._whisper.detect_language(encoded)]
            if isinstance(head, DetectSpans):
                return self._detect_spans(
                    encoded, inputs, [each for each in operations if isinstance(each, DetectSpans)]
                )
            if isinstance(head, Decode):
                return self._decode(encoded, [each for each in operations if isinstance(each, Decode)])
            return self._align(encoded, inputs, [each for each in operations if isinstance(each, Align)])
        except RuntimeError as error:
            message = str(error).lower()
            if any(word in message for word in _MEMORY_WORDS):
                raise OutOfMemory(str(error)) from error
            if any(word in message for word in _DEVICE_WORDS):
                raise DeviceLost(str(error)) from error
            raise

    def silence(self) -> Features:
        """Return the features of one second of silence, for the warm-up."""
        return np.zeros((self.mel_bands, 100), np.float32)

    def close(self) -> None:
        """Free the model's memory."""
        self._whisper.unload_model()

    def _encode(self, inputs: Sequence[EncoderInput]) -> Any:
        """Return the batch's encodings; encode only the rows that have none yet.

        Encodings are kept in host memory between language, text and word times: on a GPU the round trip costs
        a twentieth of encoding again.
        """
        missing = [each for each in inputs if each.encoded is None]
        if missing:
            view = self._whisper.encode(self._features(missing), to_cpu=True)
            self._encoding_type = view.dtype
            if view.dtype == ctranslate2.DataType.bfloat16:  # numpy has no such type
                view = view.to(ctranslate2.DataType.float32)
            for each, encoded in zip(missing, np.array(view), strict=True):
                each.encoded = encoded
        return self._stored(np.stack([each.encoded for each in inputs if each.encoded is not None]))

    def _stored(self, encodings: NDArray[Any]) -> Any:
        stacked = ctranslate2.StorageView.from_array(encodings)
        return stacked if stacked.dtype == self._encoding_type else stacked.to(self._encoding_type)

    def _features(self, inputs: Sequence[EncoderInput]) -> Any:
        batch = np.zeros((len(inputs), self.mel_bands, WINDOW_FRAMES), np.float32)
        for row, each in zip(batch, inputs, strict=True):
            features = each.read()
            row[:, : features.shape[1]] = features
        return ctranslate2.StorageView.from_array(batch)

    def _detect_spans(
        self, encoded: Any, inputs: Sequence[EncoderInput], operations: Sequence[DetectSpans]
    ) -> list[SpanLanguages]:
        """Detect the languages of encodings and of their parts; parts of equal length share a call."""
        found: dict[tuple[int, int], Languages] = {}
        by_length: defaultdict[int, list[tuple[int, int, Any]]] = defaultdict(list)
        for row, (each, operation) in enumerate(zip(inputs, operations, strict=True)):
            for place, (first, end) in enumerate(operation.spans):
                part = _part(each.encoded, first, end)
                by_length[len(part)].append((row, place, part))
        for parts in by_length.values():
            batch = self._stored(np.stack([part for _, _, part in parts]))
            for (row, place, _), languages in zip(parts, self._whisper.detect_language(batch), strict=True):
                found[row, place] = _languages(languages)
        return [
            SpanLanguages(_languages(whole), tuple(found[row, place] for place in range(len(operation.spans))))
            for row, (operation, whole) in enumerate(
                zip(operations, self._whisper.detect_language(encoded), strict=True)
            )
        ]

    def _decode(self, encoded: Any, operations: Sequence[Decode]) -> list[Decoded]:
        head = operations[0]
        search = head.search
        results = self._whisper.generate(
            encoded,
            [list(each.prompt) for each in operations],
            beam_size=search.beam_size,
            patience=search.patience,
            length_penalty=search.length_penalty,
            repetition_penalty=search.penalty,
            no_repeat_ngram_size=search.no_repeat_ngram_size,
            max_length=CONTEXT_TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=search.suppress_blank,
            suppress_tokens=list(self.vocabulary.suppressed(search.suppress_tokens)),
        )
        limit = min(NEW_TOKENS, CONTEXT_TOKENS - len(head.prompt) + head.prefix_tokens)
        return [self._decoded(result, limit, search) for result in results]

    def _decoded(self, result: Any, limit: int, search: Search) -> Decoded:
        tokens = tuple(result.sequences_ids[0])
        return Decoded(
            tokens=tokens,
            text=self.vocabulary.text(tokens),
            # The score is the sum by the length and its penalty; the end-of-text token counts in the average.
            avg_logprob=result.scores[0] * len(tokens) ** search.length_penalty / (len(tokens) + 1),
            no_speech_prob=result.no_speech_prob,
            penalty=search.penalty,
            truncated=len(tokens) >= limit,
        )

    def _align(self, encoded: Any, inputs: Sequence[EncoderInput], operations: Sequence[Align]) -> list[Alignment]:
        results = self._whisper.align(
            encoded,
            list(self.vocabulary.start(language=operations[0].language, task=operations[0].task)),
            [list(each.tokens) for each in operations],
            [min(WINDOW_FRAMES, ceil(each.duration_seconds) * 100) for each in inputs],
        )
        return [_alignment(result) for result in results]


def _part(encoding: Any, first_frame: int, end_frame: int) -> NDArray[Any]:
    """Return a span's part of a window's encoding, cut to a multiple of ``PART_STEPS`` where it is longer."""
    first, end = first_frame // FRAMES_PER_ENCODER_STEP, ceil(end_frame / FRAMES_PER_ENCODER_STEP)
    steps = max(1, end - first)
    steps = max(min(steps, PART_STEPS), steps - steps % PART_STEPS)
    return np.ascontiguousarray(encoding[first : first + steps])


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
