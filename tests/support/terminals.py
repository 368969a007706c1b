"""Commands as a person runs them: on a terminal, into a file, or one stream into a file and one on a terminal."""

import fcntl
import io
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

COLUMNS, LINES = 80, 24
READ_BYTES: Final = 65_536
TIMEOUT_SECONDS: Final = 90.0


class Where(Enum):
    """Where a command's two streams go."""

    TERMINAL = "terminal"
    FILES = "files"
    FILE_BESIDE_TERMINAL = "file beside terminal"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a command ended, and all that it wrote. What is not connected is empty."""

    exit_code: int
    screen: str
    stdout: str
    stderr: str


def kascribe(
    arguments: Sequence[str], where: Where, directory: Path, environment: Mapping[str, str] | None = None
) -> RunResult:
    """Run ``kascribe`` to its end in ``directory``, where its output goes to files of the name of ``where``."""
    command = [sys.executable, "-m", "kascribe", *arguments]
    out, err = directory / f"stdout of {where.value}", directory / f"stderr of {where.value}"
    environment = {**(environment or os.environ), "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
    with out.open("wb") as stdout, err.open("wb") as stderr, _terminal() as (master, slave):
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=slave,
            stdout=slave if where is Where.TERMINAL else stdout,
            stderr=stderr if where is Where.FILES else slave,
        )
        slave.close()
        screen = _read(master, process)
    return RunResult(process.wait(), screen, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@contextmanager
def _terminal() -> Iterator[tuple[int, io.FileIO]]:
    """Open a terminal and return its two ends; the caller closes the second once its program has it."""
    master, descriptor = pty.openpty()
    # A file, since it may be closed twice: a bare number may belong to another thread's file by then.
    with io.FileIO(master, "r+"), io.FileIO(descriptor, "r+") as slave:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        yield master, slave


def _read(master: int, process: subprocess.Popen[bytes]) -> str:
    """Read all output until the program ends. Raises AssertionError when it does not."""
    read = b""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"{process.args!r} does not end: {read[-2_000:]!r}")
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            more = os.read(master, READ_BYTES)
        except OSError:  # Linux reports this when no program has the terminal any more
            return read.decode("utf-8", "replace")
        read += more
