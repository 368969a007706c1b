"""``kascribe up`` in a process, in the home of a user of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kascribe.embedded.session import Session
from models.selftest import SELFTEST_MODEL_NAME
from tests.demo.role import free_port
from tests.support.waiting import eventually

START_TIMEOUT_SECONDS: Final = 90
JOB_TIMEOUT_SECONDS: Final = 60
UMASK: Final = 0o027


@dataclass
class Up:
    """A running ``kascribe up``, and the home directory of its user."""

    process: subprocess.Popen[bytes]
    home: Path
    environment: dict[str, str]
    gateway_port: int

    @property
    def session_directory(self) -> Path:
        """The directory in which the stack keeps its session file."""
        return self.home / ".local" / "state" / "kascribe"

    def kascribe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command as the same user. Blocks until it ends."""
        return subprocess.run(
            [sys.executable, "-m", "kascribe", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=JOB_TIMEOUT_SECONDS,
            check=False,
        )


@contextmanager
def running_up(home: Path, **settings: str) -> Iterator[Up]:
    """Run a stack in a home directory of its own; kill it at the end of the block at the latest."""
    port = free_port()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("KASCRIBE_KAFKA", "XDG_"))
    }
    environment = {
        **inherited,
        "HOME": str(home),
        "KASCRIBE_WHISPER_MODEL": os.environ.get("KASCRIBE_TEST_MODEL", SELFTEST_MODEL_NAME),
        "KASCRIBE_GATEWAY_PORT": str(port),
        **settings,
    }
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "kascribe", "up"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            umask=UMASK,
        )
    running = Up(process, home, environment, port)
    try:
        eventually(
            lambda: _session(running),
            timeout_seconds=START_TIMEOUT_SECONDS,
            what="the embedded stack",
        )
        yield running
    finally:
        process.kill()
        process.wait()


def _session(up: Up) -> Session | None:
    assert up.process.poll() is None, (up.home / "up.log").read_text()
    return Session.current(up.session_directory)
