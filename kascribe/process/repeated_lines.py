"""Limit of the lines that the Kafka client repeats while a broker is away.

A consumer, its outbox and its watches each try every broker several times a second, and log each failure.
"""

import logging
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from schemas.clock import Clock

INTERVAL_SECONDS: Final = 60.0
"""Between two lines that differ only in numbers: ports, durations, counts."""

REMEMBERED_LINES: Final = 256
"""Different lines; the one that was logged longest ago is forgotten."""

_NUMBERS: Final = re.compile(r"\d+")


@dataclass(slots=True)
class _Line:
    logged_at: float
    left_out: int = 0


class RepeatedKafkaLines(logging.Filter):
    """Passes a line of the Kafka client once a minute; the next one says how many were left out.

    Lines of other loggers pass. Thread-safe within a handler, which filters under its lock.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._lines: OrderedDict[tuple[str, str], _Line] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is logged."""
        if record.name.partition(".")[0] != "kafka":
            return True
        message = record.getMessage()
        key = (record.name, _NUMBERS.sub("#", message))
        now = self._clock.monotonic()
        line = self._lines.get(key)
        if line is not None and now - line.logged_at < INTERVAL_SECONDS:
            line.left_out += 1
            return False
        if line is not None and line.left_out:
            record.msg, record.args = f"{message} ({line.left_out} lines like this were left out)", ()
        self._lines[key] = _Line(now)
        self._lines.move_to_end(key)
        if len(self._lines) > REMEMBERED_LINES:
            self._lines.popitem(last=False)
        return True
