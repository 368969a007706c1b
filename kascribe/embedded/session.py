"""The session of a running ``kascribe up``: a file through which the user's other commands find it.

The file is locked while the stack runs, so the session ends with the process, however that ends.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from pydantic import BaseModel, ConfigDict

from schemas.errors import ConfigurationError

FILE_NAME: Final = "embedded.json"
LOCK_TRIES: Final = 10
LOCK_PAUSE_SECONDS: Final = 0.05
"""Between attempts: a command that checks whether a stack runs holds the lock for a moment."""


def state_directory() -> Path:
    """Return this user's directory for state (XDG): files that should last but may be lost."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kascribe"


class Session(BaseModel):
    """One running embedded stack. The unlocked file of a stack that has ended is ignored."""

    model_config = ConfigDict(frozen=True)

    pid: int
    bootstrap_servers: str
    s3_endpoint_url: str
    bucket: str
    access_key: str
    gateway_url: str | None
    archive_url: str | None = None
    """None: the archive is off, or one that the user's own settings name."""
    transcripts_directory: str
    model: str
    roles: tuple[str, ...]

    @classmethod
    def current(cls, directory: Path | None = None) -> Self | None:
        """Return the running stack, if there is one."""
        path = (directory or state_directory()) / FILE_NAME
        try:
            with path.open("rb") as file:
                return cls.model_validate_json(file.read()) if _is_locked(file) else None
        except (OSError, ValueError):
            return None

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make any Kascribe process use this stack."""
        return {
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KASCRIBE_S3_ENDPOINT_URL": self.s3_endpoint_url,
            "KASCRIBE_S3_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.access_key,
            "AWS_REGION": "us-east-1",
            **({"KASCRIBE_ARCHIVE_URL": self.archive_url} if self.archive_url else {}),
        }


@dataclass(frozen=True, slots=True)
class SessionLock:
    """The lock of the user's one session, held while its stack runs."""

    file: BinaryIO

    @contextmanager
    def announced(self, session: Session) -> Iterator[None]:
        """Let other commands find the stack while the context lasts."""
        self._write(json.dumps(session.model_dump(), indent=2) + "\n")
        try:
            yield
        finally:
            self._write("")

    def _write(self, text: str) -> None:
        # Never replaced by another file: the lock is on this one.
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text.encode())
        self.file.flush()


@contextmanager
def locked_session(directory: Path) -> Iterator[SessionLock]:
    """Hold the lock of the user's session, which excludes other stacks, while the context lasts.

    Raises ConfigurationError when one runs. The file is readable by the user alone.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE_NAME
    path.touch(mode=0o600)
    with path.open("rb+") as file:
        for _ in range(LOCK_TRIES):
            if _lock(file, fcntl.LOCK_EX):
                break
            time.sleep(LOCK_PAUSE_SECONDS)
        else:
            running = Session.current(directory)
            process = f"process {running.pid}" if running else "it is just starting"
            raise ConfigurationError(f"an embedded stack runs already ({process}): stop that one first")
        yield SessionLock(file)


def _is_locked(file: BinaryIO) -> bool:
    return not _lock(file, fcntl.LOCK_SH)


def _lock(file: BinaryIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
