"""A model that follows a script, and features of silence."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from models.media.speech.windows import Window
from models.whisper.gate import Decoded
from models.whisper.rows import Align, Alignment, Decode, DetectLanguage, EncoderInput, Features, Operation, Result


class Script:
    """A model whose texts are a function of penalty and window length; its languages come from a list."""

    def __init__(
        self, text: Callable[[float, float], str], *, truncated_over_seconds: float = 1_000, languages: str = "en"
    ) -> None:
        self._text = text
        self._truncated_over_seconds = truncated_over_seconds
        self._languages = iter(languages.split())
        self.decoded: list[Decode] = []
        self.aligned: list[Align] = []
        self.unalignable = False
        self.tokens = (2425, 456)  # " hello there", as OpenAI's tokenizer has it
        self.gate = threading.Event()
        self.gate.set()

    def infer(self, inputs: Sequence[EncoderInput], operations: Sequence[Operation]) -> Sequence[Result]:
        """One answer per row, by the script."""
        self.gate.wait(30)
        return [self._one(each, operation) for each, operation in zip(inputs, operations, strict=True)]

    def _one(self, encoder_input: EncoderInput, operation: Operation) -> Result:
        encoder_input.encoded = np.zeros(1)
        if isinstance(operation, DetectLanguage):
            code, _, probability = next(self._languages).partition(":")
            return ((code, float(probability or 0.9)), ("la", 0.01))
        if isinstance(operation, Align):
            if self.unalignable:
                raise RuntimeError("no alignment heads")
            self.aligned.append(operation)
            step = encoder_input.duration_seconds / len(operation.tokens)
            starts = tuple(step * number for number in range(len(operation.tokens) + 1))
            return Alignment(starts, (0.9,) * len(operation.tokens))
        self.decoded.append(operation)
        return Decoded(
            tokens=self.tokens,
            text=self._text(operation.penalty, encoder_input.duration_seconds),
            avg_logprob=-0.2,
            no_speech_prob=0.0,
            penalty=operation.penalty,
            truncated=encoder_input.duration_seconds > self._truncated_over_seconds,
        )


def silence(window: Window) -> Features:
    """Return the features of silence, of the window's length."""
    return np.zeros((80, window.frames), np.float32)
