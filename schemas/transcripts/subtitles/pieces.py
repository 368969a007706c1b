"""Pieces of text that no line break divides, with their times. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.transcripts.joining import is_spaceless, needs_space
from schemas.transcripts.subtitles.characters import (
    cell_width,
    is_wide,
    may_break,
    split_at_width,
    strip_controls,
)
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment

_TOKEN: Final = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text with a leading space where one separates it from the piece before; times in milliseconds.

    ``continues_word`` says that the model wrote it in one word with the piece before, in a script without spaces.
    """

    text: str
    start_ms: int
    end_ms: int
    language: str | None = None
    continues_word: bool = False

    @property
    def cells(self) -> int:
        """The width on the screen."""
        return cell_width(self.text)

    @property
    def leading_cells(self) -> int:
        """The width of the space before the text, which a line that begins here does not show."""
        return len(self.text) - len(self.text.lstrip())


def is_wide_text(wide: int, visible: int) -> bool:
    """Return whether a text counts as wide, by the number of its wide and of its visible characters."""
    return 2 * wide > visible


def line_cells(settings: SubtitleSettings, *, wide: bool) -> int:
    """Return the width of a line; a wide character takes two cells."""
    return 2 * settings.wide_line_characters if wide else settings.line_characters


def cells_per_second(settings: SubtitleSettings, *, wide: bool) -> float:
    """Return the reading speed."""
    return 2 * settings.wide_characters_per_second if wide else settings.characters_per_second


def pieces_of(segments: Iterable[Segment], settings: SubtitleSettings) -> list[Piece]:
    """Return the pieces of one channel's segments, in order; starts never go back.

    Without word times, a segment's time is divided in proportion to width.
    """
    pieces: list[Piece] = []
    for piece in _cut(_joined(_tokens(segments)), settings):
        start = max(piece.start_ms, pieces[-1].start_ms if pieces else 0)
        pieces.append(replace(piece, start_ms=start, end_ms=max(piece.end_ms, start)))
    return pieces


def _tokens(segments: Iterable[Segment]) -> Iterator[Piece]:
    last = ""
    for segment in segments:
        is_first = True
        for text, start, end in _timed_texts(segment):
            tokens = [re.sub(r"\s+", " ", token) for token in _TOKEN.findall(strip_controls(text))]
            if not tokens:
                continue
            if is_first:
                bare = tokens[0].lstrip()
                tokens[0] = f" {bare}" if last and needs_space(last, bare[0]) else bare
                is_first = False
            yield from _spread(_parts(tokens, are_words=bool(segment.words)), start, end, segment.language)
            last = tokens[-1][-1]


def _timed_texts(segment: Segment) -> list[tuple[str, float, float]]:
    if segment.words:
        return [(word.word, word.start, word.end) for word in segment.words]
    return [(segment.text, segment.start, segment.end)]


def _parts(tokens: Iterable[str], *, are_words: bool) -> list[tuple[str, bool]]:
    """Divide scripts without spaces into characters; with each part, whether it continues a word."""
    parts: list[tuple[str, bool]] = []
    for token in tokens:
        if any(map(is_spaceless, token)):
            leading = len(token) - len(token.lstrip())
            parts.append((token[: leading + 1], False))
            parts.extend((character, are_words) for character in token[leading + 1 :])
        else:
            parts.append((token, False))
    return parts


def _spread(parts: Sequence[tuple[str, bool]], start: float, end: float, language: str | None) -> Iterator[Piece]:
    total = sum(cell_width(text) for text, _ in parts) or 1
    done = 0
    for text, continues_word in parts:
        begins = start + (end - start) * done / total
        done += cell_width(text)
        ends = start + (end - start) * done / total
        yield Piece(text, round(begins * 1000), round(ends * 1000), language, continues_word)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join what may not be parted: closing marks with the text before them, opening ones with that after them."""
    held: Piece | None = None
    for piece in pieces:
        if held is None:
            held = piece
        elif may_break(held.text, piece.text):
            yield held
            held = piece
        else:
            text, end = held.text + piece.text, max(held.end_ms, piece.end_ms)
            held = replace(held, text=text, end_ms=end, language=held.language or piece.language)
    if held is not None:
        yield held


def _cut(pieces: Iterable[Piece], settings: SubtitleSettings) -> Iterator[Piece]:
    """Cut what is wider than a line."""
    for piece in pieces:
        bare = piece.text.lstrip()
        wide = is_wide_text(sum(map(is_wide, bare)), len(bare))
        limit = min(line_cells(settings, wide=wide), line_cells(settings, wide=True))
        if cell_width(bare) <= line_cells(settings, wide=wide):
            yield piece
            continue
        parts = split_at_width(bare, limit)
        parts[0] = piece.text[: piece.leading_cells] + parts[0]
        yield from _spread(
            [(part, False) for part in parts], piece.start_ms / 1000, piece.end_ms / 1000, piece.language
        )
