"""CTranslate2's Whisper, called with batches of rows. The only module that calls it."""

import logging
import os
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import WINDOW_FRAMES
from models.whisper.gate import Decoded, Judgement, Search
from models.whisper.inference.device import compute_type_of, device_of, parallelism
from models.whisper.inference.features import FeatureBatch, FeatureBuffers
from models.whisper.inference.hearing import needs_words, settle
from models.whisper.inference.ports import DeviceLost, OutOfMemory
from models.whisper.languages.one import among
from models.whisper.rows import Alignment, Features, Hear, Heard, Languages
from models.whisper.text.vocabulary import CONTEXT_TOKENS, Vocabulary
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.options import Task
from schemas.settings import WhisperSettings

NEW_TOKENS: Final = CONTEXT_TOKENS // 2
"""CTranslate2 decodes at most half the context, or what the prompt leaves."""
REHEARSED_TOKENS: Final = {"cuda": CONTEXT_TOKENS, "cpu": 16}
"""Prompt and text of the warm-up: on a GPU the longest, since memory grows with them."""
SECONDS_PER_ALIGNMENT_STEP: Final = 0.02
FRAMES_PER_ENCODER_STEP: Final = 2
PART_STEPS: Final = 25
"""Half a second of encoding: so the parts of many spans have few lengths, and share calls."""
_MEMORY_WORDS: Final = ("out of memory", "failed to allocate", "cublas_status_alloc_failed", "bad_alloc")
_DEVICE_WORDS: Final = ("cuda failed", "cublas failed", "cudnn failed")


class WhisperModel:
    """A loaded model. ``hear`` blocks without holding the GIL; safe from several threads."""

    def __init__(self, settings: WhisperSettings, directory: Path) -> None:
        # What CTranslate2 warns of by itself, such as another compute type, is in our lines, and its are no JSON.
        ctranslate2.set_log_level(logging.CRITICAL)
        self.device = device_of(settings)
        self.parallelism = parallelism(settings, device=self.device, cores=len(os.sched_getaffinity(0)))
        try:
            self._whisper = ctranslate2.models.Whisper(
                str(directory),
                device=self.device,
                device_index=settings.device_index if self.device == "cuda" else 0,
                compute_type=compute_type_of(settings, device=self.device),
                inter_threads=self.parallelism.calls,
                intra_threads=self.parallelism.threads,
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigurationError(f"the model in {directory} cannot be loaded: {error}") from error
        self.multilingual = bool(self._whisper.is_multilingual)
        self.mel_bands = int(self._whisper.n_mels)
        self.compute_type = str(self._whisper.compute_type)
        self.vocabulary = Vocabulary(directory, multilingual=self.multilingual)
        self._buffers = FeatureBuffers(self.mel_bands)
        self._clock = SystemClock()

    def prepare(self, features: Sequence[Features]) -> FeatureBatch:
        """Put the features of a batch together."""
        return self._buffers.filled(features)

    def hear(self, batch: FeatureBatch, operations: Sequence[Hear]) -> Sequence[Heard]:
        """Return one result per row. The encoding stays on the device; only to detect spans, a copy is cut."""
        with _model_errors():
            encoded = self._whisper.encode(ctranslate2.StorageView.from_array(batch.array))
            languages = self._detect(encoded, operations)
            spans = self._detect_spans(encoded, operations)
            codes = [
                each.language or among(each.candidates, found)[0][0]
                for each, found in zip(operations, languages, strict=True)
            ]
            texts = self._decode(encoded, operations, codes)
            judgements = [settle(*each, self.vocabulary) for each in zip(operations, texts, strict=True)]
            aligned_at = self._clock.monotonic()
            alignments = self._aligned(encoded, batch, operations, codes, judgements)
            seconds = (self._clock.monotonic() - aligned_at) / len(operations)
        return [
            Heard(
                language=codes[row],
                decoded=texts[row],
                judgement=judgements[row],
                languages=languages[row],
                spans=spans.get(row, ()),
                alignment=alignments.get(row),
                alignment_seconds=seconds,
            )
            for row in range(len(operations))
        ]

    def rehearse(self, rows: int) -> None:
        """Run a full batch of silence through all steps but the detection of spans, whose parts are small."""
        silence = np.zeros((self.mel_bands, WINDOW_FRAMES), np.float32)
        length = REHEARSED_TOKENS[self.device]
        start = list(self.vocabulary.start(language="en", task=Task.TRANSCRIBE))
        context = [self.vocabulary.end - 1] * (length // 2 - len(start))
        with self.prepare([silence] * rows) as batch, _model_errors():
            encoded = self._whisper.encode(ctranslate2.StorageView.from_array(batch.array))
            if self.multilingual:
                self._whisper.detect_language(encoded)
            found = self._whisper.generate(
                encoded,
                [context + start] * rows,
                beam_size=Search(5).beam_size,
                max_length=length,
                suppress_tokens=[self.vocabulary.end],
                return_scores=True,
                return_no_speech_prob=True,
            )
            texts = [each.sequences_ids[0] for each in found]
            self._whisper.align(encoded, start, texts, WINDOW_FRAMES)

    def close(self) -> None:
        """Free the model's memory."""
        self._whisper.unload_model()

    def _detect(self, encoded: Any, operations: Sequence[Hear]) -> list[Languages]:
        """Return the languages of each row; none where it is known."""
        if all(each.language for each in operations):
            return [()] * len(operations)
        found = self._whisper.detect_language(encoded)
        return [() if each.language else _languages(row) for each, row in zip(operations, found, strict=True)]

    def _detect_spans(self, encoded: Any, operations: Sequence[Hear]) -> Mapping[int, tuple[Languages, ...]]:
        """Detect the languages of parts of the rows' encodings; parts of equal length share a call.

        The encodings come to the host for that: CTranslate2 does not cut them on the device.
        """
        if not any(each.spans for each in operations):
            return {}
        encodings = _on_host(encoded)
        by_length: defaultdict[int, list[tuple[int, int, Any]]] = defaultdict(list)
        for row, each in enumerate(operations):
            for place, (first, end) in enumerate(each.spans):
                part = _part(encodings[row], first, end)
                by_length[len(part)].append((row, place, part))
        found: dict[tuple[int, int], Languages] = {}
        for parts in by_length.values():
            stacked = ctranslate2.StorageView.from_array(np.stack([part for _, _, part in parts]))
            detected = self._whisper.detect_language(stacked.to(encoded.dtype))
            for (row, place, _), languages in zip(parts, detected, strict=True):
                found[row, place] = _languages(languages)
        return {
            row: tuple(found[row, place] for place in range(len(each.spans)))
            for row, each in enumerate(operations)
        }

    def _decode(self, encoded: Any, operations: Sequence[Hear], codes: Sequence[str]) -> list[Decoded]:
        head = operations[0]
        search = head.search
        prompts = [
            [*each.context, *self.vocabulary.task_tokens(language=code, task=each.task), *each.prefix]
            for each, code in zip(operations, codes, strict=True)
        ]
        results = self._whisper.generate(
            encoded,
            prompts,
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
        limit = min(NEW_TOKENS, CONTEXT_TOKENS - len(prompts[0]) + len(head.prefix))
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

    def _aligned(
        self,
        encoded: Any,
        batch: FeatureBatch,
        operations: Sequence[Hear],
        codes: Sequence[str],
        judgements: Sequence[Judgement],
    ) -> Mapping[int, Alignment | Exception]:
        """Return by row the alignment, or why there is none, where words are needed."""
        groups: defaultdict[tuple[str, Task], dict[int, list[int]]] = defaultdict(dict)
        for row, (each, judgement) in enumerate(zip(operations, judgements, strict=True)):
            if needs_words(each, judgement):
                tokens = self.vocabulary.text_tokens(judgement.chosen.tokens)
                groups[codes[row], each.task][row] = list(tokens)
        found: dict[int, Alignment | Exception] = {}
        waiting = deque(groups.items())
        while waiting:
            key, texts = waiting.popleft()
            try:
                found.update(self._align(encoded, batch, key, texts))
            except (RuntimeError, ValueError) as error:
                kind = _kind(error)
                if kind is DeviceLost or (kind is OutOfMemory and len(operations) > 1):
                    raise
                if len(texts) == 1:
                    found.update(dict.fromkeys(texts, error))
                else:
                    waiting.extend((key, {row: tokens}) for row, tokens in texts.items())
        return found

    def _align(
        self, encoded: Any, batch: FeatureBatch, key: tuple[str, Task], texts: Mapping[int, list[int]]
    ) -> dict[int, Alignment]:
        """Align the rows of one language and task.

        CTranslate2 aligns a whole batch with one start sequence. The other rows take part with a token, and are
        padded: a batch with words in several languages pays for an alignment of each.
        """
        language, task = key
        token = next(iter(texts.values()))[:1]
        results = self._whisper.align(
            encoded,
            list(self.vocabulary.start(language=language, task=task)),
            [texts.get(row, token) for row in range(len(batch.frames))],
            [min(WINDOW_FRAMES, ceil(frames / 100) * 100) for frames in batch.frames],
        )
        return {row: _alignment(results[row]) for row in texts}


def _kind(error: Exception) -> type[Exception] | None:
    """Return what an error of CTranslate2 means for the device; None for one of the row."""
    message = str(error).lower()
    if any(word in message for word in _MEMORY_WORDS):
        return OutOfMemory
    return DeviceLost if any(word in message for word in _DEVICE_WORDS) else None


@contextmanager
def _model_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        kind = _kind(error)
        if kind is None:
            raise
        raise kind(str(error)) from error


def _on_host(encoded: Any) -> NDArray[Any]:
    if encoded.dtype == ctranslate2.DataType.bfloat16:  # numpy has no such type
        encoded = encoded.to(ctranslate2.DataType.float32)
    return np.array(encoded.to_device(ctranslate2.Device.cpu))


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
