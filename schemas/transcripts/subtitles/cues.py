"""Subtitle cues from segments, within limits that viewers can follow.

The rules and their defaults are those of published guidelines: Netflix's Timed Text Style Guide (general
requirements, and the guides for English, Korean, Japanese and Chinese), the BBC Subtitle Guidelines, and F.
Karamitroglou, "A Proposed Set of Subtitling Standards in Europe" (Translation Journal 2/2, 1998). Widths are in
cells: a character of Chinese, Japanese or Korean takes two, a combining one none, so any other character counts
half beside wide ones.

Some speech cannot be shown within all limits. Then a cue is shown on into the silence after it; if that is too
short, the text is divided at other places; only then is a cue shown for less time than reading it takes; and a
cue that would be shown for less than the shortest time delays the next one. No text is omitted, and cues of one
channel never overlap.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from schemas.transcripts.subtitles.characters import cell_width, is_wide
from schemas.transcripts.subtitles.layout import lay_out
from schemas.transcripts.subtitles.pieces import Piece, cells_per_second, is_wide_text, pieces_of
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment

FLICKER_MS: Final = 480
"""A shorter gap between cues is closed to the smallest one; a screen empty for so short a time flickers."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines that are on the screen at once."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    channel: int | None = None


def cues(segments: Sequence[Segment], settings: SubtitleSettings) -> Iterator[Cue]:
    """Yield the cues of all segments that have text, by start."""
    channels: defaultdict[int | None, list[Segment]] = defaultdict(list)
    for segment in sorted(segments, key=lambda one: (one.start, one.id)):
        channels[segment.channel].append(segment)
    found = [cue for channel, spoken in channels.items() for cue in _of_channel(spoken, channel, settings)]
    yield from sorted(found, key=lambda cue: cue.start_ms)


def _of_channel(segments: Sequence[Segment], channel: int | None, settings: SubtitleSettings) -> Iterator[Cue]:
    pieces = pieces_of(segments, settings)
    layouts = lay_out(pieces, settings)
    gap_ms = round(settings.gap_seconds * 1000)
    free_from = 0
    for number, layout in enumerate(layouts):
        lines = tuple(_text(pieces[first : last + 1]) for first, last in layout.lines)
        start = max(pieces[layout.first].start_ms, free_from)
        following = pieces[layouts[number + 1].first].start_ms if number + 1 < len(layouts) else None
        end = _end(start, pieces[layout.last].end_ms, following, _reading_ms(lines, settings), settings)
        yield Cue(start, end, lines, channel)
        free_from = end + gap_ms


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces).strip()


def _reading_ms(lines: Sequence[str], settings: SubtitleSettings) -> int:
    visible = "".join("".join(lines).split())
    wide = is_wide_text(sum(map(is_wide, visible)), len(visible))
    return ceil(1000 * sum(map(cell_width, lines)) / cells_per_second(settings, wide=wide))


def _end(start: int, spoken: int, following: int | None, reading: int, settings: SubtitleSettings) -> int:
    """Return the end of a cue. All times are in milliseconds; ``following`` is when the next cue is spoken."""
    shortest, longest = round(settings.shortest_seconds * 1000), round(settings.longest_seconds * 1000)
    end = max(spoken, start + reading)
    latest = start + longest
    if following is not None:
        latest = min(latest, following - round(settings.gap_seconds * 1000))
        if following - end < FLICKER_MS:
            end = latest
    return max(min(end, latest), start + shortest)
