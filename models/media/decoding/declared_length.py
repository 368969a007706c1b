"""Length of the audio as the container declares it, and whether it is exact enough to detect a loss."""

from dataclasses import dataclass
from typing import Any, Final

import av

EXACT_LENGTH_CONTAINERS: Final = frozenset(
    ("aiff", "asf", "au", "avi", "caf", "flac", "flv", "matroska", "mov", "ogg", "tta", "voc", "w64", "wav", "wv")
)
"""Containers that store the length. For others FFmpeg estimates it, by bit rate or by the clock at either end."""
SEAMLESS_CONTAINERS: Final = frozenset({"flac", "ogg"})
"""Containers with a clock that counts samples: where it jumps, something was lost."""
END_TIME_CONTAINERS: Final = frozenset({"flv", "matroska"})
"""Containers that store the time at which the sound ends, by a clock that need not start at zero."""
BITS_PER_SECOND_LEAST: Final = 1_000
"""An estimated length that implies a lower bit rate was misled by a clock that jumps."""
TOLERANCE_SECONDS: Final = 0.5
TOLERANCE_SHARE: Final = 0.002
"""Normal difference between a clock and a sample count, relative to the length."""


@dataclass(frozen=True, slots=True)
class DeclaredLength:
    """``seconds`` may be wrong, or None. ``is_exact``: audio that ends earlier was lost."""

    seconds: float | None
    is_exact: bool

    def __add__(self, other: "DeclaredLength") -> "DeclaredLength":
        """Return the length of both recordings, one after the other."""
        if self.seconds is None or other.seconds is None:
            return DeclaredLength(None, is_exact=False)
        return DeclaredLength(self.seconds + other.seconds, self.is_exact and other.is_exact)

    def falls_short(self, received_seconds: float) -> bool:
        """Return whether the audio and silence received are shorter than an exact length."""
        if self.seconds is None or not self.is_exact:
            return False
        return self.seconds - received_seconds > TOLERANCE_SECONDS + TOLERANCE_SHARE * self.seconds


def format_names(container: Any) -> frozenset[str]:
    """Return all names that FFmpeg has for the container's format."""
    return frozenset(container.format.name.split(","))


def declared_length(container: Any, stream: Any, *, size_bytes: int) -> DeclaredLength:
    """Return the length by the stream's own duration where it has one, else by the container's."""
    names = format_names(container)
    seconds, is_exact = _duration_in_header(container, stream)
    if seconds is None or seconds <= 0:
        return DeclaredLength(None, is_exact=False)
    if names & END_TIME_CONTAINERS:
        begins = float((stream.start_time or 0) * stream.time_base)
        seconds -= begins if 0 < begins < seconds else 0.0
    is_exact = is_exact and bool(names & EXACT_LENGTH_CONTAINERS)
    if not is_exact and size_bytes * 8 < seconds * BITS_PER_SECOND_LEAST:
        return DeclaredLength(None, is_exact=False)
    return DeclaredLength(seconds, is_exact)


def _duration_in_header(container: Any, stream: Any) -> tuple[float | None, bool]:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base), True
    tagged = _clock(stream.metadata.get("DURATION", ""))
    if tagged is not None:
        return tagged, True
    if container.duration:
        # The duration of the longest stream; a film may continue after its sound has ended.
        return container.duration / av.time_base, len(container.streams) == 1
    return None, False


def _clock(text: str) -> float | None:
    """Parse a Matroska duration tag, such as ``00:00:44.761000000``; None when it is not one."""
    parts = text.strip("\0 ").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    total = hours * 3600 + minutes * 60 + seconds
    return total if 0 < total < float("inf") else None
