"""The drop folder: an audio file that lands here and stops growing is submitted once."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from watchfiles import watch

from kascribe.dropped_files import files_in
from schemas.clock import Clock

STABLE_SECONDS = 0.5
"""A file whose size and time have not changed for this long is taken to be complete."""

EMPTY_STABLE_SECONDS = 5.0
"""The same for a file without a byte, as which every copy begins: then it is told that it is empty."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one content of a path from another, as cheaply as the file system can."""

    path: Path
    object_size_bytes: int
    changed_ns: int
    """When it came to be here as it is: a copy may keep an older time of modification, this one no copy sets."""


def scan(directory: Path) -> Iterator[Fingerprint]:
    """The files that may be audio that someone dropped, as they are now."""
    for path, status in files_in(directory):
        yield Fingerprint(path, status.st_size, status.st_ctime_ns)


class Debouncer:
    """Decides when a file is complete. Pure but for what it remembers: time and sightings are given."""

    def __init__(self, done: Callable[[Fingerprint], bool]) -> None:
        self._done = done
        self._since: dict[Path, tuple[Fingerprint, float]] = {}
        self._taken: set[Fingerprint] = set()

    def stable(self, seen: Iterator[Fingerprint], now: float) -> list[Fingerprint]:
        """The files that have stayed as they are for long enough, each content once."""
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
    """Submits what settles in ``directory`` until ``stop`` is set. Blocks; ``submit`` handles its own errors.

    The operating system tells of changes; between them the folder is looked at again every half second, since
    a file settles by nothing happening to it.
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
