"""Division of pieces into cues and lines: the cheapest one, over all that keep the limits. Pure.

Width and lines are kept always. Costs put the other wishes in order: time enough to be seen and to be read, breaks
at clauses, few cues, no lone words, balanced lines.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Final

from schemas.transcripts.subtitles.characters import is_wide
from schemas.transcripts.subtitles.phrases import CLAUSE, INSIDE, PHRASE, SENTENCE, break_cost
from schemas.transcripts.subtitles.pieces import Piece, cells_per_second, is_wide_text, line_cells
from schemas.transcripts.subtitles.settings import SubtitleSettings

PAUSE_MS: Final = 1_500
"""A silence that always ends a cue."""
NOTICED_PAUSE_MS: Final = 250
"""A silence that listeners notice: a break there is as good as at a comma, within a phrase as at its end."""

_CUE: Final = 12.0
"""Cost of a cue, so that few are made."""
_CUE_BREAK: Final = 1.5
"""Cost of a break between cues, in breaks between lines."""
_SENTENCE_INSIDE: Final = 3.0
_PAUSE_INSIDE_PER_MS: Final = 0.02
_UNREADABLE: Final = 60.0
"""Cost of a cue whose text cannot be read in its time, and again for each time its length that it lacks."""
_TOO_BRIEF: Final = 90.0
_GONE_PER_MS: Final = 0.01
"""Cost of the time after the longest one in which the text is still spoken."""
_LONE_WORD: Final = 15.0
_LONE_SHARE: Final = 4
"""A lone word is one that takes less than a line divided by this."""
_UNBALANCED: Final = 12.0
"""Cost of two lines, one of which is empty."""

Lines = tuple[tuple[int, int], ...]
"""First and last piece of each line."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Pieces ``first`` to ``last`` as the lines of one cue."""

    first: int
    last: int
    lines: Lines


def lay_out(pieces: Sequence[Piece], settings: SubtitleSettings) -> list[Layout]:
    """Return the cues of one channel's pieces, in order. Each piece is in exactly one line."""
    layouts: list[Layout] = []
    first = 0
    for number in range(1, len(pieces) + 1):
        if number == len(pieces) or pieces[number].start_ms - pieces[number - 1].end_ms >= PAUSE_MS:
            following = pieces[number].start_ms if number < len(pieces) else None
            run = _Run(pieces[first:number], following, settings)
            layouts.extend(
                Layout(cue.first + first, cue.last + first, tuple((a + first, b + first) for a, b in cue.lines))
                for cue in run.cheapest()
            )
            first = number
    return layouts


def _after_pause(cost: int, pause_ms: int) -> float:
    if pause_ms < NOTICED_PAUSE_MS:
        return float(cost)
    return float(PHRASE if cost == INSIDE else min(cost, CLAUSE))


class _Run:
    """Pieces without a long pause between them, as sums up to each piece, so that any span costs the same work."""

    def __init__(self, pieces: Sequence[Piece], following_ms: int | None, settings: SubtitleSettings) -> None:
        bare = [piece.text.lstrip() for piece in pieces]
        self._settings = settings
        self._count = len(pieces)
        self._line_cells = [line_cells(settings, wide=wide) for wide in (False, True)]
        self._ms_per_cell = [1000 / cells_per_second(settings, wide=wide) for wide in (False, True)]
        self._shortest_ms = round(settings.shortest_seconds * 1000)
        self._longest_ms = round(settings.longest_seconds * 1000)
        self._gap_ms = round(settings.gap_seconds * 1000)
        self._leading = [piece.leading_cells for piece in pieces]
        self._cells = list(accumulate((piece.cells for piece in pieces), initial=0))
        self._wide = list(accumulate((sum(map(is_wide, text)) for text in bare), initial=0))
        self._visible = list(accumulate(map(len, bare), initial=0))
        self._starts = [piece.start_ms for piece in pieces]
        self._ends = [piece.end_ms for piece in pieces]
        last_ms = self._starts[-1] + self._longest_ms + self._gap_ms
        self._following = [*self._starts[1:], last_ms if following_ms is None else following_ms]
        pauses = [max(0, after.start_ms - before.end_ms) for before, after in pairwise(pieces)]
        self._pauses = list(accumulate((ms if ms >= NOTICED_PAUSE_MS else 0 for ms in pauses), initial=0))
        costs = [
            INSIDE if two.continues_word else break_cost(one.text, two.text, two.language)
            for one, two in pairwise(pieces)
        ]
        self._sentences = list(accumulate((cost == SENTENCE for cost in costs), initial=0))
        self._breaks = [_after_pause(cost, pause) for cost, pause in zip(costs, pauses, strict=True)]
        self._ends_here = self._possible_ends()
        self._lines = lru_cache(4_096)(self._lines_uncached)

    def cheapest(self) -> list[Layout]:
        """Return the cheapest sequence of cues."""
        best = [0.0, *[float("inf")] * self._count]
        begins = [0] * (self._count + 1)
        earliest = 0
        for last in range(self._count):
            if not self._ends_here[last]:
                continue
            while earliest < last and self._exceeds(earliest, last):
                earliest += 1
            ending = self._cost_of_ending(last)
            # The longest cue first: it is often the cheapest, and then the others need no look at their lines.
            for first in range(earliest, last + 1):
                cost = best[first] + ending  # infinite where no cue ends before this piece
                if cost >= best[last + 1]:
                    continue
                cost += self._cost(first, last)
                if cost < best[last + 1]:
                    lines = self._laid(first, last)
                    if lines is not None and cost + lines[0] < best[last + 1]:
                        best[last + 1], begins[last + 1] = cost + lines[0], first
        return self._chosen(begins)

    def _possible_ends(self) -> list[bool]:
        """Return for each piece whether a cue may end with it: within a phrase only where that is too long."""
        ends: list[bool] = []
        first = 0
        for last in range(self._count):
            is_end = (
                last == self._count - 1
                or self._breaks[last] < INSIDE
                or self._width(first, last + 1) > min(self._line_cells)
                or self._ends[last + 1] - self._starts[first] > self._longest_ms
            )
            ends.append(is_end)
            if is_end:
                first = last + 1
        return ends

    def _exceeds(self, first: int, last: int) -> bool:
        """Return whether pieces can be in no cue together: they are too wide, or too far apart."""
        if self._width(first, last) > self._settings.lines * max(self._line_cells):
            return True
        return self._ends[last] - self._starts[first] > 2 * self._longest_ms

    def _chosen(self, begins: Sequence[int]) -> list[Layout]:
        cues: list[Layout] = []
        end = self._count
        while end:
            first = begins[end]
            laid = self._laid(first, end - 1)
            cues.append(Layout(first, end - 1, laid[1] if laid else ((first, end - 1),)))
            end = first
        return cues[::-1]

    def _width(self, first: int, last: int) -> int:
        return self._cells[last + 1] - self._cells[first] - self._leading[first]

    def _is_wide(self, first: int, last: int) -> bool:
        return is_wide_text(
            self._wide[last + 1] - self._wide[first], self._visible[last + 1] - self._visible[first]
        )

    def _cost_of_ending(self, last: int) -> float:
        return _CUE + (_CUE_BREAK * self._breaks[last] if last < self._count - 1 else 0.0)

    def _cost(self, first: int, last: int) -> float:
        """Cost of a cue apart from its lines."""
        wide, width = self._is_wide(first, last), self._width(first, last)
        cost = _SENTENCE_INSIDE * (self._sentences[last] - self._sentences[first])
        cost += _PAUSE_INSIDE_PER_MS * (self._pauses[last] - self._pauses[first])
        start = self._starts[first]
        cost += _GONE_PER_MS * max(0, self._ends[last] - start - self._longest_ms)
        shown = max(1, min(self._following[last] - start - self._gap_ms, self._longest_ms))
        if shown < self._shortest_ms:
            cost += _TOO_BRIEF * (2 - shown / self._shortest_ms)
        needed = width * self._ms_per_cell[wide]
        if needed > shown:
            cost += _UNREADABLE * min(10.0, needed / shown)
        if width * _LONE_SHARE < self._line_cells[wide] and not self._is_sentence(first, last):
            cost += _LONE_WORD
        return cost

    def _is_sentence(self, first: int, last: int) -> bool:
        begins = first == 0 or self._breaks[first - 1] <= CLAUSE
        return begins and (last == self._count - 1 or self._breaks[last] <= CLAUSE)

    def _laid(self, first: int, last: int) -> tuple[float, Lines] | None:
        cells = self._line_cells[self._is_wide(first, last)]
        for lines in range(1, self._settings.lines + 1):
            if self._width(first, last) <= cells * lines:
                found = self._lines(first, last, lines, cells)
                if found is not None:
                    return found
        return None

    def _lines_uncached(self, first: int, last: int, lines: int, cells: int) -> tuple[float, Lines] | None:
        """Return the cheapest lines, exactly so many; None where the text is too wide for them."""
        if lines == 1:
            return (0.0, ((first, last),)) if self._width(first, last) <= cells else None
        reach = bisect_right(self._cells, self._cells[first] + self._leading[first] + cells) - 1
        least = bisect_left(self._cells, self._cells[last + 1] - cells * (lines - 1) - lines)
        best: tuple[float, Lines] | None = None
        even = self._width(first, last) / lines
        for following in range(max(first + 1, least), min(last, reach) + 1):
            cost = self._breaks[following - 1] + _UNBALANCED * abs(self._width(first, following - 1) - even) / even
            if best is not None and cost >= best[0]:
                continue
            if following == last and lines == 2 and self._is_lone(following, last, cells):
                cost += _LONE_WORD
            if following == first + 1 and self._is_lone(first, first, cells):
                cost += _LONE_WORD
            rest = self._lines(following, last, lines - 1, cells)
            if rest is not None and (best is None or cost + rest[0] < best[0]):
                best = cost + rest[0], ((first, following - 1), *rest[1])
        return best

    def _is_lone(self, first: int, last: int, cells: int) -> bool:
        return self._width(first, last) * _LONE_SHARE < cells
