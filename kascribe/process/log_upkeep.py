"""What a log says of itself, from a thread of its own: repeated lines left out, and a log file that fails."""

import atexit
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from kascribe.process.log_file import LogFile
from kascribe.process.repeated_lines import INTERVAL_SECONDS, RepeatedLines

JOIN_SECONDS: Final = 1.0
"""For the thread to write its line at the end of the process."""

_log: Final = structlog.get_logger(__name__)


class LogUpkeep:
    """Writes the counts of lines left out that no further line gives, and when the log file fails and recovers.

    ``file`` is set before ``start``.
    """

    def __init__(self, lines: RepeatedLines, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.file: LogFile | None = None
        self._lines = lines
        self._interval_seconds = interval_seconds
        # Not an event: it has a lock, and a finaliser that logs may wake this thread while the thread holds it.
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._is_closed = False
        self._has_failed = False
        self._is_unrotated = False
        self._thread = threading.Thread(target=self._run, name="log-upkeep", daemon=True)

    def start(self) -> None:
        """Start the thread. Returns at once; call it once. At the process's end ``close`` is called."""
        self._thread.start()
        atexit.register(self.close)

    def wake(self) -> None:
        """Look at the file soon. From any thread; never blocks; safe to repeat."""
        self._woken.put(None)

    def close(self) -> None:
        """Write what is left to be said, and stop. Safe to repeat."""
        if not self._is_closed:
            self._is_closed = True
            atexit.unregister(self.close)
            self.wake()
            if self._thread.is_alive():  # it may be writing a line, which must not follow the last
                self._thread.join(JOIN_SECONDS)
            self.report(at_end=True)

    def report(self, *, at_end: bool = False) -> None:
        """Write the lines that are due now."""
        for cause, count in self._lines.take_counts(at_end=at_end):
            _log.info(
                "repeated lines were left out", of=cause[0], cause=" ".join(cause[1:]).strip(), left_out=count
            )
        if self.file is not None:
            self._report_file(self.file)

    def _report_file(self, file: LogFile) -> None:
        unrotated = file.rotation_problem
        if unrotated is not None and not self._is_unrotated:
            _log.warning("log file cannot be rotated", path=str(file.path), error=unrotated.strerror)
        self._is_unrotated = unrotated is not None
        problem = file.problem
        if problem is not None and not self._has_failed:
            self._has_failed = True
            _log.warning("log file cannot be written", path=str(file.path), error=problem.strerror)
        elif problem is None and self._has_failed:
            self._has_failed = False
            _log.warning("log file is written again", path=str(file.path), lost_lines=file.take_lost_lines())

    def _run(self) -> None:
        while not self._is_closed:
            with suppress(Empty):
                self._woken.get(timeout=self._interval_seconds)
            if not self._is_closed:
                self.report()
