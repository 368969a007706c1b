"""Rows: the elements of the engine's batches. A row means: hear this window."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.whisper.gate import PUBLISHED, Decoded, Judgement, Search, Thresholds
from schemas.errors import EngineFailed
from schemas.options import Lane, Task

Features = NDArray[np.float32]
Languages = tuple[tuple[str, float], ...]
"""Codes and probabilities, the most probable first."""

TOKENS_PER_SECOND: Final = {"en": 3.1, "ko": 5.2, "zh": 5.9, "yue": 5.9, "ja": 5.0}
"""Whisper's tokens per second of dense speech, measured with its tokenizer on dense half minutes."""
DEFAULT_TOKENS_PER_SECOND: Final = 4.0


@dataclass(frozen=True, slots=True)
class EncoderInput:
    """A window's features, read on demand."""

    read: Callable[[], Features]
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Hear:
    """What is done with a window in one call: encode, detect the language if it is open, decode, judge, align.

    Without a ``language``, the most probable one of the ``candidates`` (none: of all) is detected and decoded in.
    ``spans`` are parts of the window to detect as well: the first frame of each, and the frame after its last.
    ``context`` is the prompt before the start of the transcript, ``prefix`` the text that the window begins with.
    The remaining fields are for the gate: ``attempts`` were made before, in other calls; accepted text with fewer
    than ``fewest_tokens`` is split. Accepted text is aligned if its ``words`` are needed, or if it was a loop.
    """

    search: Search
    language: str | None = "en"
    task: Task = Task.TRANSCRIBE
    candidates: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    context: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    attempts: tuple[Decoded, ...] = ()
    searches_left: int = 0
    is_splittable: bool = False
    thresholds: Thresholds = PUBLISHED
    fewest_tokens: float = 0.0
    words: bool = False


@dataclass(frozen=True, slots=True)
class Alignment:
    """Start of each text token in seconds within the window, plus the end of the last; and the probabilities."""

    starts_seconds: tuple[float, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """The text of a window in a language, and the gate's judgement of all attempts at it.

    ``languages`` and ``spans`` hold what was detected, where the language was open. ``alignment`` is that of the
    chosen text, or why there is none, where words are needed; ``alignment_seconds`` is the row's share of the time
    that alignments took in its call.
    """

    language: str
    decoded: Decoded
    judgement: Judgement
    languages: Languages = ()
    spans: tuple[Languages, ...] = ()
    alignment: Alignment | Exception | None = None
    alignment_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchKey:
    """Rows with equal keys may share a call: CTranslate2 takes one set of options per call.

    It requires the start-of-transcript token at the same index in all rows, which contexts of equal length and
    prefixes of equal length have. Language and task may differ between rows.
    """

    search: Search
    context_tokens: int
    prefix_tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of the model, in seconds of the monotonic clock."""

    replica: int
    rows: int
    begun_at: float
    seconds: float

    @property
    def ended_at(self) -> float:
        """When it had ended."""
        return self.begun_at + self.seconds


@dataclass(slots=True, eq=False)
class Row:
    """One window to hear, for one job. Rows of a job are served by ``position``, seconds from the file's start."""

    job: object
    lane: Lane
    encoder_input: EncoderInput
    operation: Hear
    position: float = 0.0
    queued_at: float = 0.0  # set by the engine, monotonic
    future: Future[Heard] = field(default_factory=Future)
    call: Call | None = None  # the one that computed its result

    @property
    def seconds(self) -> float:
        """Its share of that call."""
        return self.call.seconds / self.call.rows if self.call else 0.0

    @property
    def key(self) -> BatchKey:
        """The key that rows of one batch share."""
        operation = self.operation
        return BatchKey(operation.search, len(operation.context), len(operation.prefix))

    @property
    def expected_tokens(self) -> float:
        """Estimate of the tokens that this row decodes to, a measure of how long that takes."""
        rate = TOKENS_PER_SECOND.get(self.operation.language or "", DEFAULT_TOKENS_PER_SECOND)
        return self.encoder_input.duration_seconds * rate

    def fail(self, cause: Exception) -> None:
        """End the row with an EngineFailed, unless it has ended."""
        error = EngineFailed(f"inference failed: {cause}")
        error.__cause__ = cause
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)
