"""A production role as a child process, as an operator starts it: for demos, and for tests that kill it."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.waiting import eventually

READY_TIMEOUT_SECONDS: Final = 90.0
STOP_TIMEOUT_SECONDS: Final = 45.0


def free_port() -> int:
    """Find a loopback port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RoleProcess:
    """``kascribe run ROLE``. Used as a context: ends with SIGTERM, or SIGKILL after a deadline.

    ``launcher`` stands before the command, and replaces itself by it, as ``nice`` does; ``program`` is run instead
    of Kascribe, with the same arguments.
    """

    def __init__(
        self,
        role: str,
        environment: Mapping[str, str],
        *,
        log: Path,
        arguments: tuple[str, ...] = (),
        launcher: tuple[str, ...] = (),
        program: str = "kascribe",
    ) -> None:
        self.role = role
        self.log = log
        self.health_port = free_port()
        self._environment = {**os.environ, **environment, "KASCRIBE_SERVER_PORT": str(self.health_port)}
        self._command = [*launcher, sys.executable, "-m", program, "run", role, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def wait_until_ready(self, path: str = "/health/ready", *, port: int | None = None) -> None:
        """Block until the role's health endpoint answers 200."""
        url = f"http://127.0.0.1:{port or self.health_port}{path}"
        eventually(
            lambda: self._is_ready(url),
            timeout_seconds=READY_TIMEOUT_SECONDS,
            what=f"{self.role} ready ({self.log})",
        )

    def is_ready(self) -> bool:
        """Return whether the role's health endpoint answers 200 now. Raises AssertionError when it has ended."""
        return self._is_ready(f"http://127.0.0.1:{self.health_port}/health/ready")

    @property
    def pid(self) -> int:
        """The id of the process that runs now."""
        if self._process is None:
            raise AssertionError(f"{self.role} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The process's exit code; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def kill(self) -> None:
        """Kill the process (``kill -9``), without a chance to clean up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Send SIGTERM, so that it drains, and return its exit code."""
        return self._end(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _is_ready(self, url: str) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(
                f"{self.role} ended with {self._process.returncode}:\n{self.log.read_text()[-4000:]}"
            )
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._process.returncode
