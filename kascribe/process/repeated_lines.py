"""Limit of lines that repeat one cause: one a minute, and the number of those left out.

A broker, bucket or server that is away makes every client, watch and request fail several times a second, and each
says so. Which events are limited, and what makes two of them the same, is in the catalogue; lines of libraries are
the same when they differ in nothing but durations, counts, times and ids.
"""

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from kascribe.process.log_events.catalogue import EVENTS
from kascribe.process.safe_stream import LOG_LOCK
from schemas.clock import Clock

INTERVAL_SECONDS: Final = 60.0
"""Between two lines with the same cause."""

REMEMBERED_CAUSES: Final = 1_024
"""The cause that was logged longest ago is forgotten: its next line is written."""

CAUSE_CHARACTERS: Final = 2_000
"""As much of a text counts. Numbers that tell causes apart stand at its beginning."""

_VOLATILE: Final = re.compile(
    # Times, ids, addresses in memory, and the names of librdkafka's clients, whose numbers grow.
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.,Z+]*|0x[0-9a-fA-F]+|\b(?=[a-f-]*\d)[0-9a-f][0-9a-f-]{11,}\b|#[a-z]+-\d+"
    # Durations, and counts of things. Status codes, ports, brokers and partitions stay: they are the cause.
    r"|(?<![.\w])\d+(?:\.\d+)?(?= ?(?:[mu]?s|(?:milli)?seconds?|requests?|times|bytes)\b)|\b\d{6,}\b"
)

_SUPPRESSED: Final = re.compile(r", \d+ identical error\(s\) suppressed")

Cause = tuple[str, ...]


def same_cause(text: str) -> str:
    """Return the text without what differs between two lines about the same cause."""
    return _VOLATILE.sub("#", _SUPPRESSED.sub("", text[:CAUSE_CHARACTERS]))


@dataclass(slots=True)
class _Line:
    logged_at: float
    left_out: int = 0


class RepeatedLines:
    """Decides which lines are written. Thread-safe.

    A line that a finaliser logs on the thread that is counting another one is written.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: OrderedDict[Cause, _Line] = OrderedDict()
        self._forgotten: list[tuple[Cause, int]] = []
        self._is_counting = False

    def left_out(self, cause: Cause) -> int | None:
        """Return how many lines were left out before this one, which is to be written; None to leave it out."""
        now = self._clock.monotonic()
        with self._counting() as may_count:
            if not may_count:
                return 0
            line = self._lines.get(cause)
            if line is not None and now - line.logged_at < INTERVAL_SECONDS:
                line.left_out += 1
                return None
            self._lines[cause] = _Line(now)
            self._lines.move_to_end(cause)
            if len(self._lines) > REMEMBERED_CAUSES:
                self._forget(*self._lines.popitem(last=False))
            return line.left_out if line else 0

    def take_counts(self, *, at_end: bool = False) -> list[tuple[Cause, int]]:
        """Return the causes with lines left out that none has followed for the interval, or since, ``at_end``.

        They are forgotten, so that their next line is written.
        """
        now = self._clock.monotonic()
        with self._counting() as may_count:
            if not may_count:
                return []
            for cause, line in list(self._lines.items()):
                if at_end or now - line.logged_at >= INTERVAL_SECONDS:
                    self._forget(cause, self._lines.pop(cause))
            taken, self._forgotten = self._forgotten, []
        return taken

    @contextmanager
    def _counting(self) -> Iterator[bool]:
        """Hold the lock; give False where this thread is counting already, and a finaliser came in between."""
        with LOG_LOCK:
            if self._is_counting:
                yield False
                return
            self._is_counting = True
            try:
                yield True
            finally:
                self._is_counting = False

    def _forget(self, cause: Cause, line: _Line) -> None:
        if line.left_out:
            self._forgotten.append((cause, line.left_out))

    def limit_event(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Drop an event of the catalogue that repeats (a structlog processor, before any that adds fields)."""
        row = EVENTS.get(event["event"])
        if row is None or row.cause is None:
            return event
        values = (_value(name, event.get(name)) for name in row.cause)
        left_out = self.left_out((row.name, *values, _exception(event.get("exc_info"))))
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event


class RepeatedLibraryLines(logging.Filter):
    """Leaves out the lines of libraries that repeat; sets ``left_out`` of a record that follows some."""

    def __init__(self, lines: RepeatedLines) -> None:
        super().__init__()
        self._lines = lines

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written. A record that cannot be made a text is, without its arguments."""
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a defect in a log call must not reach the work that logs
            text = f"{_template(record)} (its arguments do not fit: {type(error).__name__})"
            record.msg, record.args = text, ()
        try:
            cause = (record.name, record.levelname, same_cause(text), _exception(record.exc_info))
        except Exception:  # noqa: BLE001 - such as an exception that has no text
            return True
        left_out = self._lines.left_out(cause)
        if left_out:
            record.left_out = left_out
        return left_out is not None


def _template(record: logging.LogRecord) -> str:
    return record.msg if isinstance(record.msg, str) else type(record.msg).__name__


def _value(name: str, value: object) -> str:
    # Names of topics, profiles and services hold numbers of their own.
    return same_cause(str(value)) if name == "error" else str(value)


def _exception(exc_info: object) -> str:
    """Return kind and text of what ``exc_info`` stands for in a log call."""
    error = sys.exception() if exc_info is True else exc_info
    if isinstance(error, tuple):
        error = error[1]
    return same_cause(f"{type(error).__name__}: {error}") if isinstance(error, BaseException) else ""
