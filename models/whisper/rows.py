"""Rows: the elements of the engine's batches."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.whisper.gate import Decoded, Search
from schemas.options import Lane, Task

Features = NDArray[np.float32]
ResultT = TypeVar("ResultT")

TOKENS_PER_SECOND: Final = {"en": 3.1, "ko": 5.2, "zh": 5.9, "yue": 5.9, "ja": 5.0}
"""Whisper's tokens per second of dense speech, measured with its tokenizer on dense half minutes."""
DEFAULT_TOKENS_PER_SECOND: Final = 4.0


@dataclass(slots=True)
class EncoderInput:
    """A window's features, read on demand, and its encoding while later operations may need it.

    The model sets ``encoded``: a window is encoded once for language, text and word times.
    """

    read: Callable[[], Features]
    duration_seconds: float
    encoded: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class DetectLanguage:
    """Detection of the language. Its result: (code, probability) pairs, the most probable first."""


@dataclass(frozen=True, slots=True)
class DetectSpans:
    """Detection of the language of a window and of each of its spans, from one encoding.

    ``spans``: the first frame of each span, and the frame after its last. Its result: a SpanLanguages.
    """

    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SpanLanguages:
    """The languages of a window and of each of its spans, in the form that ``DetectLanguage`` gives."""

    window: "Languages"
    spans: tuple["Languages", ...]


@dataclass(frozen=True, slots=True)
class Decode:
    """Decoding to text. Its result: a Decoded.

    ``prompt`` ends before the first token that is searched; its last ``prefix_tokens`` are text already.
    """

    prompt: tuple[int, ...]
    search: Search
    language: str = "en"
    prefix_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Align:
    """Alignment of text tokens with the audio. Its result: an Alignment."""

    tokens: tuple[int, ...]
    language: str
    task: Task


@dataclass(frozen=True, slots=True)
class Alignment:
    """Start of each text token in seconds within the window, plus the end of the last; and the probabilities."""

    starts_seconds: tuple[float, ...]
    probabilities: tuple[float, ...]


Operation = DetectLanguage | DetectSpans | Decode | Align
Languages = tuple[tuple[str, float], ...]
Result = Languages | SpanLanguages | Decoded | Alignment


@dataclass(frozen=True, slots=True)
class BatchKey:
    """Rows with equal keys may share a call: CTranslate2 takes one set of options per call.

    It requires the start-of-transcript token at the same index in all rows, which prompts of equal length with
    prefixes of equal length have. Language and task may differ between rows, except for alignment.
    """

    kind: str
    search: Search | None = None
    prompt_tokens: int = 0
    prefix_tokens: int = 0
    language: str = ""
    task: str = ""


@dataclass(slots=True, eq=False)
class Row(Generic[ResultT]):
    """One operation on one window, for one job."""

    job: object
    lane: Lane
    encoder_input: EncoderInput
    operation: Operation
    future: Future[ResultT] = field(default_factory=Future)
    seconds: float = 0.0  # its share of the call that computed its result

    @property
    def key(self) -> BatchKey:
        """The key that rows of one batch share."""
        operation = self.operation
        if isinstance(operation, Decode):
            return BatchKey("decode", operation.search, len(operation.prompt), operation.prefix_tokens)
        if isinstance(operation, Align):
            return BatchKey("align", language=operation.language, task=operation.task.value)
        return BatchKey("detect spans" if isinstance(operation, DetectSpans) else "detect")

    @property
    def expected_tokens(self) -> float:
        """Estimate of the tokens that this row decodes to, a measure of how long that takes."""
        rate = TOKENS_PER_SECOND.get(getattr(self.operation, "language", ""), DEFAULT_TOKENS_PER_SECOND)
        return self.encoder_input.duration_seconds * rate
