"""The consumers of the embedded stack, as child processes: the same ``kascribe run`` that production runs."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.clock import Clock, SystemClock
from schemas.errors import ConfigurationError, KascribeError

RESTART_DELAY_SECONDS: Final = 2.0
RESTART_LIMIT: Final = 5
"""A child that dies more often than this is not started again: a restart does not repair the cause."""

HEALTHY_SECONDS: Final = 60.0
"""A child that has run for this long is healthy: earlier deaths do not count any more."""

USAGE_EXIT_CODE: Final = 2
"""The exit code for wrong usage or settings, which a restart does not change."""

LOG_TAIL_BYTES: Final = 4_096
"""The end of a log, which is searched for a child's last sentence."""

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    # A killed parent must leave no consumer behind that holds the GPU (prctl(2); Linux only).
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One role: its environment and log, and the process that runs it now."""

    role: str
    environment: Mapping[str, str]
    log_path: Path
    clock: Clock
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    restart_at: float = 0.0

    def start(self) -> None:
        """Start the role's process; append its output to the log file."""
        self.started_at = self.clock.monotonic()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                # -P: our own code, not modules of the same names in the working directory.
                [sys.executable, "-P", "-m", "kascribe", "run", self.role],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the parent handles Ctrl-C at the terminal
                # Other threads run here, and may hold a lock at the fork. Nothing is imported or loaded between
                # fork and exec: the library was opened with this module, and prctl(2) is a bare system call.
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - see above
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process; None while it runs or before it was started."""
        return self.process.poll() if self.process else None

    def last_sentence(self) -> str:
        """Return the error sentence with which the process ended, otherwise the last line of its log."""
        with suppress(OSError), self.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            text = log.read().decode("utf-8", "replace").strip()
            return _last_sentence(text)
        return ""


@dataclass
class Children:
    """The processes of all roles. Call ``supervise`` regularly; it never blocks.

    ``stop_timeout_seconds`` is their time after SIGTERM to finish the records in flight and exit.
    """

    stop_timeout_seconds: float
    clock: Clock = field(default_factory=SystemClock)
    _children: list[Child] = field(default_factory=list)
    _deadline: float | None = None

    def start(self, role: str, environment: Mapping[str, str], log_path: Path) -> Child:
        """Start a role, and supervise it from now on."""
        child = Child(role, environment, log_path, self.clock)
        child.start()
        self._children.append(child)
        return child

    def supervise(self) -> list[str]:
        """Restart dead children, a bounded number of times; return sentences for the user.

        Raises KascribeError for a child that restarts do not repair: ConfigurationError for a wrong setting.
        """
        return [sentence for child in self._children if (sentence := self._supervise(child))]

    def check(self) -> None:
        """Raise KascribeError when a child has ended: for callers that need all of them and restart none."""
        for child in self._children:
            if child.exit_code is not None:
                raise KascribeError(
                    f"{child.role} ended with exit code {child.exit_code}: {child.last_sentence()}"
                )

    def _supervise(self, child: Child) -> str | None:
        if child.exit_code is None:
            if self.clock.monotonic() - child.started_at >= HEALTHY_SECONDS:
                child.restarts = 0
            return None
        if child.exit_code == USAGE_EXIT_CODE:
            raise ConfigurationError(f"{child.role} did not start: {child.last_sentence()}")
        if child.restarts >= RESTART_LIMIT:
            raise KascribeError(
                f"{child.role} ended {child.restarts + 1} times, now with exit code {child.exit_code}, "
                f"and is not started again; {child.log_path} says why"
            )
        if not child.restart_at:
            child.restart_at = self.clock.monotonic() + RESTART_DELAY_SECONDS
            return f"{child.role} ended with exit code {child.exit_code}; see {child.log_path}"
        if self.clock.monotonic() < child.restart_at:
            return None
        child.restarts += 1
        child.restart_at = 0.0
        child.start()
        return f"{child.role} restarted ({child.restarts} of {RESTART_LIMIT})"

    @property
    def running(self) -> tuple[str, ...]:
        """The roles with a running process."""
        return tuple(child.role for child in self._children if child.process and child.exit_code is None)

    def terminate(self) -> None:
        """Send SIGTERM to all, so that each drains. Time runs from the first call; a second hurries them."""
        if self._deadline is None:
            self._deadline = self.clock.monotonic() + self.stop_timeout_seconds
        for child in self._children:
            if child.process and child.exit_code is None:
                child.process.terminate()

    def kill_overdue(self) -> tuple[str, ...]:
        """Send SIGKILL to the children that are out of time; return their roles. Blocks until they are gone."""
        return () if self._deadline is None or self.clock.monotonic() < self._deadline else self._kill()

    def close(self) -> None:
        """Stop them all; kill those that have not exited in time. Safe to repeat."""
        if self.running and self._deadline is None:
            self.terminate()
        for child in self._children:
            if child.process is not None and self._deadline is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.1, self._deadline - self.clock.monotonic()))
        self._kill()
        self._children.clear()

    def _kill(self) -> tuple[str, ...]:
        left = [child for child in self._children if child.process and child.exit_code is None]
        for child in left:
            if child.process is not None:
                child.process.kill()
                child.process.wait()
        return tuple(child.role for child in left)


def _last_sentence(text: str) -> str:
    if "\nkascribe: " in f"\n{text}":
        return text.rpartition("kascribe: ")[2]
    line = text.rpartition("\n")[2]
    with suppress(ValueError):
        entry = json.loads(line)
        return str(entry.get("why", line)) if isinstance(entry, dict) else line
    return line
