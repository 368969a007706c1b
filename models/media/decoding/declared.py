"""What a container says about the length of its sound, and whether that is worth comparing with what came."""

from dataclasses import dataclass
from typing import Any

import av

PROMISING_CONTAINERS = frozenset(
    ("aiff", "asf", "au", "avi", "caf", "flac", "flv", "matroska", "mov", "ogg", "tta", "voc", "w64", "wav", "wv")
)
"""Those that write the length down. Of others FFmpeg estimates it, by bit rate or by the clock at either end."""
SEAMLESS_CONTAINERS = frozenset({"flac", "ogg"})
"""Those whose clock counts samples: where it jumps, something was lost."""
END_TIME_CONTAINERS = frozenset({"flv", "matroska"})
"""Those that write down when the sound ends, by a clock that need not begin at zero."""
BITS_PER_SECOND_LEAST = 1_000
"""An estimate that leaves less was misled by a clock that jumps."""
TOLERANCE_SECONDS = 0.5
TOLERANCE_SHARE = 0.002
"""By which a clock and a count of samples may differ by themselves."""


@dataclass(frozen=True, slots=True)
class Declared:
    """``seconds`` may be a lie or None. ``promised``: a recording that ends earlier has lost something."""

    seconds: float | None
    promised: bool

    def __add__(self, other: "Declared") -> "Declared":
        """Both, one after the other."""
        if self.seconds is None or other.seconds is None:
            return Declared(None, promised=False)
        return Declared(self.seconds + other.seconds, self.promised and other.promised)

    def falls_short(self, came_seconds: float) -> bool:
        """Whether so much sound and silence is less than what was promised."""
        if self.seconds is None or not self.promised:
            return False
        return self.seconds - came_seconds > TOLERANCE_SECONDS + TOLERANCE_SHARE * self.seconds


def names_of(container: Any) -> frozenset[str]:
    """All the names that FFmpeg has for the kind of container."""
    return frozenset(container.format.name.split(","))


def declared(container: Any, stream: Any, *, size_bytes: int) -> Declared:
    """By the stream's own duration where there is one, else by the container's."""
    names = names_of(container)
    seconds, promised = _stated(container, stream)
    if seconds is None or seconds <= 0:
        return Declared(None, promised=False)
    if names & END_TIME_CONTAINERS:
        begins = float((stream.start_time or 0) * stream.time_base)
        seconds -= begins if 0 < begins < seconds else 0.0
    promised = promised and bool(names & PROMISING_CONTAINERS)
    if not promised and size_bytes * 8 < seconds * BITS_PER_SECOND_LEAST:
        return Declared(None, promised=False)
    return Declared(seconds, promised)


def _stated(container: Any, stream: Any) -> tuple[float | None, bool]:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base), True
    tagged = _clock(stream.metadata.get("DURATION", ""))
    if tagged is not None:
        return tagged, True
    if container.duration:
        # Of several streams the longest; a film may go on when its sound has ended.
        return container.duration / av.time_base, len(container.streams) == 1
    return None, False


def _clock(text: str) -> float | None:
    """Seconds of ``00:00:44.761000000``, as Matroska tags have it."""
    parts = text.strip("\0 ").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    total = hours * 3600 + minutes * 60 + seconds
    return total if 0 < total < float("inf") else None
