"""What is measured: a subject loads a model once and runs several rows of the table on it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tests.gpu.bench.meters import Meter

MIXED: Final = "mixed"
SHORT: Final = "short clips"
KOREAN: Final = "Korean lengths"
WORDS: Final = "word times"
OPEN: Final = "language open"
BEAM_SIZE: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, to be measured for ``seconds``. ``batch``: windows per call, where the row decides."""

    kind: str
    load: str
    detail: str
    seconds: float
    batch: int = 0

    @property
    def name(self) -> str:
        """The row's name in the table."""
        return f"{self.kind}, {self.load}: {self.detail}"


class Subject(Protocol):
    """A loaded model, behind floor, faster-whisper or Kascribe."""

    def threads(self, row: Row) -> int:
        """Return the number of threads that call ``work``."""
        ...

    def prepare(self, row: Row) -> None:
        """Run once what the row runs, so that compilation and allocation are over. Blocks."""
        ...

    def work(self, row: Row, meter: Meter, stop: threading.Event) -> None:
        """Transcribe, and tell the meter, until the event is set. Returns soon afterwards."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


@dataclass(frozen=True, slots=True)
class Arm:
    """A subject that is yet to be loaded, and its rows."""

    rows: Sequence[Row]
    open: Callable[[], Subject]
