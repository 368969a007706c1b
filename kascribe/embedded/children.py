"""The consumers of the embedded stack, as child processes: the same ``kascribe run`` that production runs."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

STOP_TIMEOUT_SECONDS = 15.0
RESTART_DELAY_SECONDS = 2.0
RESTART_LIMIT = 5
"""A child that dies more often than this is left alone: something is wrong that a restart does not mend."""

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    # A killed parent must leave no consumer behind that holds the GPU (prctl(2); Linux only).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One role: how it is started, and the process that runs it now."""

    role: str
    environment: Mapping[str, str]
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    restart_at: float = 0.0

    def start(self) -> None:
        """Starts the role's process; its output goes to the end of the log file."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                # Our own code, whatever the working directory holds that has one of its names.
                [sys.executable, "-P", "-m", "kascribe", "run", self.role],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the terminal is the parent's to handle
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - started before any thread holds a lock it needs
            )

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it runs or before it was started."""
        return self.process.poll() if self.process else None


@dataclass
class Children:
    """All the roles. ``tend`` is called now and then and never blocks."""

    clock: Callable[[], float] = time.monotonic
    _children: list[Child] = field(default_factory=list)

    def start(self, role: str, environment: Mapping[str, str], log_path: Path) -> Child:
        """Starts a role and tends it from now on."""
        child = Child(role, environment, log_path)
        child.start()
        self._children.append(child)
        return child

    def tend(self) -> list[str]:
        """Restarts what died, a bounded number of times; returns sentences for the user."""
        return [sentence for child in self._children if (sentence := self._tend(child))]

    def _tend(self, child: Child) -> str | None:
        if child.exit_code is None:
            return None
        if child.restarts >= RESTART_LIMIT:
            return None
        if not child.restart_at:
            child.restart_at = self.clock() + RESTART_DELAY_SECONDS
            return f"{child.role} ended with exit code {child.exit_code}; see {child.log_path}"
        if self.clock() < child.restart_at:
            return None
        child.restarts += 1
        child.restart_at = 0.0
        child.start()
        return f"{child.role} restarted ({child.restarts} of {RESTART_LIMIT})"

    @property
    def given_up(self) -> tuple[Child, ...]:
        """Those that died too often."""
        return tuple(
            child for child in self._children if child.exit_code is not None and child.restarts >= RESTART_LIMIT
        )

    def close(self) -> None:
        """SIGTERM to all, so that each drains; SIGKILL to what is left after the deadline."""
        running = [child.process for child in self._children if child.process and child.exit_code is None]
        for process in running:
            process.terminate()
        deadline = self.clock() + STOP_TIMEOUT_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - self.clock()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._children.clear()
