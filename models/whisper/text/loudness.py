"""Loudness of a window's frames: which part of a word's time holds its sound, and which a pause. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND: Final = 100
QUIET_PERCENTILE: Final = 10
LOUD_PERCENTILE: Final = 95
SOUND_FRAMES: Final = 6
"""Loud frames that are sound of the word itself; fewer may belong to the word after it."""

PAUSE_FRAMES: Final = 15
"""Quiet frames in a row that are a pause; fewer are part of a word, such as the silence before a plosive."""

LoudFrames = NDArray[np.bool_]


def loud_frames(features: NDArray[np.float32]) -> LoudFrames:
    """Return which frames are nearer to the loud ones of their window than to the quiet ones.

    ``features`` are log-mel: their mean over the bands grows with loudness.
    """
    loudness = features.mean(axis=0)
    quiet, loud = np.percentile(loudness, (QUIET_PERCENTILE, LOUD_PERCENTILE))
    return np.asarray(loudness > (quiet + loud) / 2)


def sounding_part(bounds_seconds: Sequence[float], loud: LoudFrames) -> float | None:
    """Return the middle of the last part with sound between two bounds, else of the loudest; None if all is quiet.

    The last, because the alignment ends words where they end, but begins them in the pause before, or earlier.
    """
    parts = [(start, end, _count(start, end, loud)) for start, end in pairwise(bounds_seconds)]
    sounding = [part for part in parts if part[2] >= SOUND_FRAMES]
    start, end, count = sounding[-1] if sounding else max(parts, key=lambda part: part[2])
    return (start + end) / 2 if count else None


def first_pause(start_seconds: float, end_seconds: float, loud: LoudFrames) -> float | None:
    """Return the start of the first pause between two times; None if there is none.

    A pause may have begun before ``start_seconds``; it is then at that time.
    """
    first, last = _frames(start_seconds, end_seconds)
    quiet = 0
    for frame in range(max(0, first - PAUSE_FRAMES), min(last, len(loud))):
        quiet = 0 if loud[frame] else quiet + 1
        if quiet >= PAUSE_FRAMES and frame >= first:
            return max(start_seconds, (frame + 1 - quiet) / FRAMES_PER_SECOND)
    return None


def last_pause(start_seconds: float, end_seconds: float, loud: LoudFrames) -> float | None:
    """Return the end of the last pause between two times; None if there is none.

    A pause may go on after ``end_seconds``; it is then at that time.
    """
    first, last = _frames(start_seconds, end_seconds)
    quiet = 0
    for frame in range(min(last + PAUSE_FRAMES, len(loud)) - 1, first - 1, -1):
        quiet = 0 if loud[frame] else quiet + 1
        if quiet >= PAUSE_FRAMES and frame < last:
            return min(end_seconds, (frame + quiet) / FRAMES_PER_SECOND)
    return None


def _frames(start_seconds: float, end_seconds: float) -> tuple[int, int]:
    return round(start_seconds * FRAMES_PER_SECOND), round(end_seconds * FRAMES_PER_SECOND)


def _count(start_seconds: float, end_seconds: float, loud: LoudFrames) -> int:
    first, last = _frames(start_seconds, end_seconds)
    return int(loud[first:last].sum())
