"""Subtitle cues from segments: two balanced lines of limited width, in any script.

Widths are in cells: a character of Chinese, Japanese or Korean takes two, a combining one none.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.transcripts.intervals import lengthen, milliseconds
from schemas.transcripts.transcript import Segment

LINE_CELLS: Final = 42
"""Width of a line in alphabetic scripts: the usual broadcast limit."""

WIDE_LINE_CELLS: Final = 32
"""Width of a line with mostly wide characters: sixteen of them."""

LINES_PER_CUE: Final = 2
PAUSE_SECONDS: Final = 1.5
"""A silence between two words that ends a cue; known only when words have times."""

SHORTEST_CUE_MS: Final = 700
"""A cue shown for less cannot be read; the next cue may end it sooner."""

_PIECE: Final = re.compile(r"\s*\S+")
_CONTROLS: Final = re.compile(r"[\0-\x08\x0e-\x1b\x7f]")
"""Control characters to remove: invisible, and NUL is invalid in WebVTT. White space stays to separate words."""
_NO_LINE_START: Final = frozenset("、。，．！？；：）」』】〉》”’,.!?;:)]}%…")


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines that are on the screen at once."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """An unbreakable piece of a line, with its times in seconds and its width."""

    text: str
    start: float
    end: float
    cells: int
    leading_cells: int


_Line = tuple[_Piece, ...]


def cues(segments: Sequence[Segment]) -> Iterator[Cue]:
    """Yield the cues of all segments that have text, by start; a cue never spans two segments.

    None has zero length, and each is shown for ``SHORTEST_CUE_MS`` unless the next one begins earlier.
    """
    ordered = sorted(segments, key=lambda s: (s.start, s.id))
    found = sorted((cue for segment in ordered for cue in _cues(segment)), key=lambda cue: cue.start_ms)
    times = lengthen((cue.start_ms, cue.end_ms) for cue in found)
    for number, (cue, (start, end)) in enumerate(zip(found, times, strict=True), 1):
        until = times[number][0] if number < len(times) else start + SHORTEST_CUE_MS
        yield replace(cue, start_ms=start, end_ms=max(end, min(start + SHORTEST_CUE_MS, until)))


def _cues(segment: Segment) -> Iterator[Cue]:
    for run in _between_pauses(_pieces(segment)):
        lines = _balance(run)
        for first in range(0, len(lines), LINES_PER_CUE):
            yield _cue(lines[first : first + LINES_PER_CUE], segment.channel)


def strip_controls(text: str) -> str:
    """Remove control characters, which are invisible and may stop a player."""
    return _CONTROLS.sub("", text)


def cell_width(text: str) -> int:
    """Return the number of cells that a text takes on a fixed-width screen."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _cue(lines: Sequence[_Line], channel: int | None) -> Cue:
    start_ms, end_ms = milliseconds(lines[0][0].start, lines[-1][-1].end)
    return Cue(start_ms, end_ms, tuple(_text(line) for line in lines), channel)


def _text(line: _Line) -> str:
    return "".join(piece.text for piece in line).strip()


def _pieces(segment: Segment) -> list[_Piece]:
    if segment.words:
        timed = [(word.word, word.start, word.end) for word in segment.words]
    else:
        timed = [(segment.text, segment.start, segment.end)]
    return [piece for text, start, end in timed for piece in _spread(_breakable(text), start, end)]


def _breakable(text: str) -> list[str]:
    found: list[str] = []
    for match in _PIECE.finditer(strip_controls(text)):
        word = re.sub(r"\s+", " ", match.group())
        for part in _by_character(word) if _is_spaceless(word) else [word]:
            found.extend(part[i : i + LINE_CELLS] for i in range(0, len(part), LINE_CELLS))
    return found


def _is_spaceless(word: str) -> bool:
    # Chinese and Japanese have no spaces, so their lines break between characters; Korean has spaces.
    return any(unicodedata.name(character, "").startswith(("CJK", "HIRAGANA", "KATAKANA")) for character in word)


def _by_character(word: str) -> list[str]:
    parts: list[str] = []
    for character in word:
        joins = parts and (
            character in _NO_LINE_START
            or parts[-1].isspace()
            or (
                character.isascii()
                and character.isalnum()
                and parts[-1][-1:].isascii()
                and parts[-1][-1:].isalnum()
            )
        )
        if joins:
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _spread(texts: Sequence[str], start: float, end: float) -> Iterator[_Piece]:
    # Without word times, time is proportional to the width of the text.
    widths = [cell_width(text) for text in texts]
    total = sum(widths) or 1
    done = 0
    for text, width in zip(texts, widths, strict=True):
        begins = start + (end - start) * done / total
        done += width
        leading = len(text) - len(text.lstrip())
        yield _Piece(text, begins, start + (end - start) * done / total, width, leading)


def _between_pauses(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    run: list[_Piece] = []
    for piece in pieces:
        if run and piece.start - run[-1].end >= PAUSE_SECONDS:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _balance(pieces: Sequence[_Piece]) -> list[_Line]:
    # The narrowest lines whose number is not larger than with the widest permitted ones.
    text = "".join(piece.text for piece in pieces)
    widest = WIDE_LINE_CELLS if cell_width(text) > 1.5 * len(text) else LINE_CELLS
    fewest = len(_wrap(pieces, widest))
    low, high = 1, widest
    while low < high:
        middle = (low + high) // 2
        if len(_wrap(pieces, middle)) > fewest:
            low = middle + 1
        else:
            high = middle
    return _wrap(pieces, high)


def _wrap(pieces: Sequence[_Piece], width: int) -> list[_Line]:
    lines: list[_Line] = []
    line: list[_Piece] = []
    taken = 0
    for piece in pieces:
        if line and taken + piece.cells > width:
            lines.append(tuple(line))
            line = []
        taken = taken + piece.cells if line else piece.cells - piece.leading_cells
        line.append(piece)
    if line:
        lines.append(tuple(line))
    return lines
