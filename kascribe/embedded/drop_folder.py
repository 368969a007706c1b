"""The drop folder: an audio file that lands here and stops growing is submitted once."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchfiles import watch

from kascribe.sources.folders import files_in
from schemas.clock import Clock

STABLE_SECONDS: Final = 0.5
"""A file counts as complete when its size and time have not changed for this long."""

EMPTY_STABLE_SECONDS: Final = 5.0
"""The same for an empty file, since every copy begins empty: after this time it is reported as empty."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A cheap identity of a path's content, from the file system alone."""

    path: Path
    object_size_bytes: int
    changed_ns: int
    """The inode's change time: a copy may keep an older modification time, but cannot set this one."""


def scan(directory: Path) -> Iterator[Fingerprint]:
    """Yield the files that may be dropped audio, as they are now."""
    for path, status in files_in(directory):
        yield Fingerprint(path, status.st_size, status.st_ctime_ns)


class Debouncer:
    """Decides when a file is complete. The caller passes the time and the files seen; nothing else is read."""

    def __init__(self, done: Callable[[Fingerprint], bool]) -> None:
        self._done = done
        self._since: dict[Path, tuple[Fingerprint, float]] = {}
        self._taken: set[Fingerprint] = set()

    def stable(self, seen: Iterator[Fingerprint], now: float) -> list[Fingerprint]:
        """Return the files that have not changed for long enough, each content once."""
        ready: list[Fingerprint] = []
        for fingerprint in seen:
            if fingerprint in self._taken:
                continue
            before, since = self._since.get(fingerprint.path, (None, now))
            if before != fingerprint:
                since = now
            self._since[fingerprint.path] = (fingerprint, since)
            if now - since >= (STABLE_SECONDS if fingerprint.object_size_bytes else EMPTY_STABLE_SECONDS):
                self._taken.add(fingerprint)
                if not self._done(fingerprint):
                    ready.append(fingerprint)
        return ready


def follow(
    directory: Path,
    *,
    debouncer: Debouncer,
    submit: Callable[[Fingerprint], None],
    stop: threading.Event,
    clock: Clock,
) -> None:
    """Submit complete files in ``directory`` until ``stop`` is set. Blocks; ``submit`` handles its own errors.

    The operating system reports changes; between them the folder is scanned every half second, since a file
    becomes complete by not changing.
    """
    interval_ms = int(STABLE_SECONDS * 1000)
    changes = watch(
        directory, stop_event=stop, rust_timeout=interval_ms, yield_on_timeout=True, raise_interrupt=False
    )
    for _ in changes:
        for fingerprint in debouncer.stable(scan(directory), clock.monotonic()):
            if stop.is_set():
                return
            submit(fingerprint)
