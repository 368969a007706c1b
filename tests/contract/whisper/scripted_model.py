"""A model that follows a script, and features of silence."""

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.media.speech.windows import Window
from models.whisper.gate import Decoded
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


class Script:
    """A model whose texts are a function of penalty and window length.

    Its languages come from a list, or are found by the seconds of a window or span; ``of_spans`` has what is
    detected of a span within its window, where that differs.
    """

    def __init__(
        self,
        text: Callable[[float, float], str],
        *,
        truncated_over_seconds: float = 1_000,
        languages: str | Mapping[float, str] = "en",
        of_spans: Mapping[float, str] | None = None,
    ) -> None:
        self._text = text
        self._truncated_over_seconds = truncated_over_seconds
        self._languages = iter(() if isinstance(languages, Mapping) else languages.split())
        self._of_spans = of_spans or {}
        self._languages_by_length = languages if isinstance(languages, Mapping) else {}
        self.decoded: list[Decode] = []
        self.aligned: list[Align] = []
        self.unalignable = False
        self.encodings = 0
        self.tokens: tuple[int, ...] = (2425, 456)  # " hello there", as OpenAI's tokenizer has it
        self.gate = threading.Event()
        self.gate.set()

    def infer(self, inputs: Sequence[EncoderInput], operations: Sequence[Operation]) -> Sequence[Result]:
        """One answer per row, by the script."""
        self.gate.wait(30)
        return [self._one(each, operation) for each, operation in zip(inputs, operations, strict=True)]

    def _one(self, encoder_input: EncoderInput, operation: Operation) -> Result:
        self.encodings += encoder_input.encoded is None
        encoder_input.encoded = np.zeros(1)
        if isinstance(operation, DetectLanguage):
            return self._language(encoder_input.duration_seconds)
        if isinstance(operation, DetectSpans):
            lengths = [(end - first) / 100 for first, end in operation.spans]
            spans = tuple(self._language(seconds, self._of_spans.get(seconds)) for seconds in lengths)
            return SpanLanguages(self._language(encoder_input.duration_seconds), spans)
        if isinstance(operation, Align):
            if self.unalignable:
                raise RuntimeError("no alignment heads")
            self.aligned.append(operation)
            step = encoder_input.duration_seconds / len(operation.tokens)
            starts = tuple(step * number for number in range(len(operation.tokens) + 1))
            return Alignment(starts, (0.9,) * len(operation.tokens))
        return self._decoded(encoder_input, operation)

    def _language(self, seconds: float, known: str | None = None) -> Languages:
        written = known or self._languages_by_length.get(seconds) or next(self._languages, "")
        code, _, probability = written.partition(":")
        return ((code, float(probability or 0.9)), ("la", 0.01))

    def _decoded(self, encoder_input: EncoderInput, operation: Decode) -> Decoded:
        self.decoded.append(operation)
        return Decoded(
            tokens=self.tokens,
            text=self._text(operation.search.penalty, encoder_input.duration_seconds),
            avg_logprob=-0.2,
            no_speech_prob=0.0,
            penalty=operation.search.penalty,
            truncated=encoder_input.duration_seconds > self._truncated_over_seconds,
        )


def silence(window: Window) -> Features:
    """Return the features of silence, of the window's length."""
    return np.zeros((80, window.frames), np.float32)
