"""Rows: what the engine's batches are made of."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.whisper.gate import Decoded
from schemas.options import Lane, Task

Features = NDArray[np.float32]
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Sound:
    """A window's features, read when they are needed, and its encoding while it is worth keeping.

    ``encoded`` belongs to the model: a window is encoded once for language, text and word times.
    """

    read: Callable[[], Features]
    duration_seconds: float
    encoded: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Detect:
    """Which language? Answers a list of (code, probability), the most probable first."""


@dataclass(frozen=True, slots=True)
class Decode:
    """Which words? ``prompt`` ends before the first text token. Answers a Decoded."""

    prompt: tuple[int, ...]
    beam_size: int
    penalty: float = 1.0
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Align:
    """Where are these tokens? Answers an Alignment."""

    tokens: tuple[int, ...]
    language: str
    task: Task


@dataclass(frozen=True, slots=True)
class Alignment:
    """Per text token the second within the window at which it begins, one more for the end, and probabilities."""

    starts_seconds: tuple[float, ...]
    probabilities: tuple[float, ...]


Work = Detect | Decode | Align
Languages = tuple[tuple[str, float], ...]
Result = Languages | Decoded | Alignment


@dataclass(frozen=True, slots=True)
class BatchKey:
    """Rows with equal keys may share a call: CTranslate2 takes one set of options per call.

    Prompts of one length have the start-of-transcript token at the same index, as it demands; language and
    task may differ between rows, except where words are aligned.
    """

    kind: str
    beam_size: int = 0
    penalty: float = 1.0
    prompt_tokens: int = 0
    language: str = ""
    task: str = ""


@dataclass(slots=True, eq=False)
class Row(Generic[Answer]):
    """One window to be worked on for one job. ``expected_tokens`` is a guess at how long decoding takes."""

    job: object
    lane: Lane
    sound: Sound
    work: Work
    answer: Future[Answer] = field(default_factory=Future)
    seconds: float = 0.0  # its share of the call that answered it

    @property
    def key(self) -> BatchKey:
        """What it may be batched with."""
        work = self.work
        if isinstance(work, Decode):
            return BatchKey("decode", work.beam_size, work.penalty, len(work.prompt))
        if isinstance(work, Align):
            return BatchKey("align", language=work.language, task=work.task.value)
        return BatchKey("detect")

    @property
    def expected_tokens(self) -> float:
        """Tokens that this row will probably decode to."""
        rate = TOKENS_PER_SECOND.get(getattr(self.work, "language", ""), DEFAULT_TOKENS_PER_SECOND)
        return self.sound.duration_seconds * rate


TOKENS_PER_SECOND = {"en": 3.1, "ko": 5.2, "zh": 5.9, "yue": 5.9, "ja": 5.0}
"""Whisper's tokens per second of dense speech, measured with its tokenizer on dense half minutes."""
DEFAULT_TOKENS_PER_SECOND = 4.0
