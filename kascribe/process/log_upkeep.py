"""What a log says of itself, from a thread of its own: repeated lines left out, and a log file that fails."""

import atexit
import threading
from typing import Final

import structlog

from kascribe.process.log_file import LogFile
from kascribe.process.repeated_lines import INTERVAL_SECONDS, RepeatedLines

_log: Final = structlog.get_logger(__name__)


class LogUpkeep:
    """Writes the counts of lines left out that no further line gives, and when the log file fails and recovers.

    ``file`` is set before ``start``.
    """

    def __init__(self, lines: RepeatedLines, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.file: LogFile | None = None
        self._lines = lines
        self._interval_seconds = interval_seconds
        self._woken = threading.Event()
        self._is_closed = False
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="log-upkeep", daemon=True)

    def start(self) -> None:
        """Start the thread. Returns at once; call it once. At the process's end ``close`` is called."""
        self._thread.start()
        atexit.register(self.close)

    def wake(self) -> None:
        """Look at the file soon. From any thread; never blocks; safe to repeat."""
        self._woken.set()

    def close(self) -> None:
        """Write what is left to be said, and stop. Safe to repeat."""
        if not self._is_closed:
            self._is_closed = True
            atexit.unregister(self.close)
            self.wake()
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
        problem = file.problem
        if problem is not None and not self._has_failed:
            self._has_failed = True
            _log.warning("log file cannot be written", path=str(file.path), error=problem.strerror)
        elif problem is None and self._has_failed:
            self._has_failed = False
            _log.warning("log file is written again", path=str(file.path), lost_lines=file.take_lost_lines())

    def _run(self) -> None:
        while not self._is_closed:
            self._woken.wait(self._interval_seconds)
            self._woken.clear()
            if not self._is_closed:
                self.report()
