"""A viewer of SubRip files that checks the published limits by itself, with no code of the product."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_TIMES: Final = re.compile(r"(\d\d+):(\d\d):(\d\d),(\d{3}) --> (\d\d+):(\d\d):(\d\d),(\d{3})")


@dataclass(frozen=True, slots=True)
class ShownCue:
    """A cue as a player shows it; times in milliseconds."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]

    @property
    def duration_ms(self) -> int:
        """How long it is shown."""
        return self.end_ms - self.start_ms

    @property
    def is_wide(self) -> bool:
        """Whether most of its characters are Chinese, Japanese or Korean."""
        visible = "".join("".join(self.lines).split())
        return 2 * sum(map(_is_wide, visible)) > len(visible)

    def characters(self, line: str) -> float:
        """Count the characters of a line; in a wide cue all but wide ones count half."""
        cells = sum((unicodedata.combining(one) == 0) + _is_wide(one) for one in line)
        return cells / 2 if self.is_wide else cells


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of published guidelines, for alphabets and for wide scripts."""

    lines: int = 2
    characters: tuple[float, float] = (42, 16)
    characters_per_second: tuple[float, float] = (20, 12)
    shortest_ms: int = 700
    longest_ms: int = 7_000
    gap_ms: int = 80


def read_srt(text: str) -> list[ShownCue]:
    """Read a SubRip file."""
    shown = []
    for block in filter(None, text.strip().split("\n\n")):
        _, times, *lines = block.split("\n")
        found = _TIMES.fullmatch(times)
        if found is None:
            raise ValueError(f"not a line of times: {times}")
        numbers = list(map(int, found.groups()))
        start, end = _milliseconds(numbers[:4]), _milliseconds(numbers[4:])
        shown.append(ShownCue(start, end, tuple(lines)))
    return shown


def kept(cues: Sequence[ShownCue], limits: Limits) -> dict[str, list[bool]]:
    """Return for each limit whether each cue keeps it; for the gap, each pair of cues that follow each other."""
    return {
        "lines": [len(cue.lines) <= limits.lines for cue in cues],
        "width": [
            all(cue.characters(line) <= limits.characters[cue.is_wide] for line in cue.lines) for cue in cues
        ],
        "speed": [
            1000 * sum(map(cue.characters, cue.lines))
            <= limits.characters_per_second[cue.is_wide] * cue.duration_ms + 1e-6
            for cue in cues
        ],
        "shortest": [cue.duration_ms >= limits.shortest_ms for cue in cues],
        "longest": [cue.duration_ms <= limits.longest_ms for cue in cues],
        "gap": [after.start_ms - before.end_ms >= limits.gap_ms for before, after in pairwise(cues)],
    }


def _milliseconds(numbers: Sequence[int]) -> int:
    hours, minutes, seconds, rest = numbers
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
