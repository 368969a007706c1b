"""What came out of an outage: records by their outcome, and how long intake paused."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.topic_counts import KeysOn

POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Row:
    """What one outage did to the records that were ``published``.

    ``doubled`` and ``repeated`` count all records so far, so a late duplicate of an earlier row shows in this one.
    """

    what: str
    published: int
    enriched: int
    dead_letters: int
    both: int
    lost: int
    doubled: int
    repeated: int
    in_flight_at_outage: int
    paused_seconds: float
    seconds: float
    may_be_refused: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether anything is lost or came out twice, or a server's failure was held against a record."""
        refused = self.dead_letters and not self.may_be_refused
        return bool(self.lost or self.doubled or self.both or refused)

    def __str__(self) -> str:
        counts = (self.published, self.in_flight_at_outage, self.enriched, self.dead_letters, self.both, self.lost)
        cells = zip((*counts, self.doubled, self.repeated), COLUMNS, strict=True)
        paused = f"{self.paused_seconds:6.1f}" if self.paused_seconds else "     -"
        return f"{self.what:44} {' '.join(f'{n:{len(name)}}' for n, name in cells)} {paused} {self.seconds:7.1f}"


COLUMNS: Final = ("records", "in flight", "enriched", "dead letters", "both", "lost", "doubled", "repeated")
HEADER: Final = f"{'what':44} {' '.join(COLUMNS)} paused seconds"


def outcomes(wanted: set[str], enriched: Sequence[str], dead: Sequence[str]) -> dict[str, int]:
    """Count the records by outcome; a record in both topics is in three counts."""
    in_events, in_dead = wanted & set(enriched), wanted & set(dead)
    return {
        "published": len(wanted),
        "enriched": len(in_events),
        "dead_letters": len(in_dead),
        "both": len(in_events & in_dead),
        "lost": len(wanted - in_events - in_dead),
    }


class Extras:
    """Records beyond one for each key, since the previous call: none falls between two rows."""

    def __init__(self, topic: KeysOn) -> None:
        self._topic = topic
        self._told = (0, 0)

    def since(self) -> dict[str, int]:
        """Return those with another value, and those that are the same byte for byte."""
        before, self._told = self._told, self._topic.extra()
        return {"doubled": self._told[0] - before[0], "repeated": self._told[1] - before[1]}


class Stopwatch:
    """Seconds for which a condition held, sampled on its own thread."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        self.seconds = 0.0
        self._holds = holds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="stopwatch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        last = time.monotonic()
        held = False
        while not self._stopped.wait(POLL_SECONDS):
            now = time.monotonic()
            self.seconds += now - last if held else 0.0
            held, last = self._holds(), now
