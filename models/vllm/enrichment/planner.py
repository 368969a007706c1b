"""Planning of requests: pure decisions over lines of text and their sizes in tokens.

A passage is a segment, or a part of one that is too long. A chunk is a run of passages that fits one request.
A point is a note with the segments that it cites. Every passage is in some chunk, and no chunk is
larger than its budget unless it is a single character.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from models.vllm.answers.cleaning import as_material
from schemas.transcripts.transcript import Segment

OVERLAP_SHARE: Final = 0.25
"""Share of the budget that the passage repeated from the previous chunk may take, so that chunks advance."""
POINT_SHARE: Final = 0.4
"""Share of a merge request that one point may take, so that a request always merges two or more."""
SHRINK: Final = 0.7
"""Share of its size that a group of points may keep when merged, so that few levels are needed."""
MARGIN: Final = 0.02
COMPLETION_SHARE: Final = 0.25
CHARACTERS_PER_TOKEN_LIMIT: Final = 16
"""Upper bound for pieces of a split text, so that the cost per character stays constant for long texts."""
IDS_PER_POINT: Final = 8
IDS_PER_POINT_COMPACT: Final = 3

Size = Callable[[str], int]
"""Returns the tokens of a text, never too few."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A line for the model. ``tokens`` includes its id and its newline."""

    segment_id: int
    text: str
    tokens: int

    @property
    def line(self) -> str:
        """The line that the model reads."""
        return f"[{self.segment_id}] {self.text}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive passages. The first ``repeated`` of them are also in the previous chunk."""

    passages: tuple[Passage, ...]
    repeated: int = 0

    @property
    def lines(self) -> list[str]:
        """The lines that the model reads."""
        return [passage.line for passage in self.passages]

    @property
    def segment_ids(self) -> frozenset[int]:
        """The segments of its passages."""
        return frozenset(passage.segment_id for passage in self.passages)

    @property
    def tokens(self) -> int:
        """Tokens of all passages."""
        return sum(passage.tokens for passage in self.passages)


@dataclass(frozen=True, slots=True)
class Point:
    """A note and the segments that it cites, which exist in the transcript."""

    text: str
    segment_ids: tuple[int, ...]

    @property
    def line(self) -> str:
        """The line that the model reads when notes are merged."""
        return f"[{','.join(map(str, self.segment_ids))}] {self.text}"


def completion_tokens(context_tokens: int, requested: int) -> int:
    """Return the tokens to keep free for an answer: those requested, or a quarter of a small context."""
    return min(requested, max(int(context_tokens * COMPLETION_SHARE), 16))


def prompt_tokens(context_tokens: int, completion: int) -> int:
    """Return the tokens left for a prompt beside an answer, less a margin for templates that count differently."""
    return context_tokens - completion - max(4, int(context_tokens * MARGIN))


def passages_of(segments: Iterable[Segment], size: Size, *, limit_tokens: int) -> list[Passage]:
    """Return one passage per segment, or several where a segment exceeds the limit.

    A segment without words gives an empty passage, so that every segment is seen.
    """
    passages: list[Passage] = []
    for segment in segments:
        sized = partial(_line_size, segment.id, size=size)
        pieces = split_text(as_material(segment.text), sized, limit_tokens)
        passages.extend(Passage(segment.id, piece, sized(piece)) for piece in pieces)
    return passages


def split_text(text: str, size: Size, limit_tokens: int) -> list[str]:
    """Split a text into pieces within the limit, at spaces where there are any.

    The result is never empty and loses no character except the spaces at the cuts.
    """
    pieces: list[str] = []
    rest = text
    window = max(limit_tokens, 1) * CHARACTERS_PER_TOKEN_LIMIT
    while len(rest) > 1 and (len(rest) > window or size(rest) > limit_tokens):
        cut = _longest_prefix(rest[:window], size, limit_tokens)
        space = rest.rfind(" ", 1, cut + 1)
        cut = space if space > cut // 2 else cut
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*pieces, rest] if rest or not pieces else pieces


def chunks_of(passages: Sequence[Passage], *, budget_tokens: int) -> list[Chunk]:
    """Group passages in order into as few chunks as hold them.

    Each chunk after the first begins with the last passage of the previous one, if that is short.
    """
    chunks: list[Chunk] = []
    current: list[Passage] = []
    used = repeated = 0
    for passage in passages:
        if len(current) > repeated and used + passage.tokens > budget_tokens:
            chunks.append(Chunk(tuple(current), repeated))
            last = current[-1]
            fits = last.tokens + passage.tokens <= budget_tokens and last.tokens <= budget_tokens * OVERLAP_SHARE
            current = [last] if fits else []
            used, repeated = (last.tokens, 1) if fits else (0, 0)
        current.append(passage)
        used += passage.tokens
    return [*chunks, Chunk(tuple(current), repeated)] if len(current) > repeated else chunks


def halve(chunk: Chunk, size: Size) -> list[Chunk]:
    """Split a chunk into two, or its single passage into two halves. A single character stays whole."""
    if len(chunk.passages) > 1:
        middle = len(chunk.passages) // 2
        first, second = chunk.passages[:middle], chunk.passages[middle:]
        return [Chunk(first, min(chunk.repeated, middle)), Chunk(second)]
    passage = chunk.passages[0]
    if len(passage.text) < 2:
        return [chunk]
    middle = len(passage.text) // 2
    texts = (passage.text[:middle], passage.text[middle:])
    number = passage.segment_id
    return [Chunk((Passage(number, text, _line_size(number, text, size=size)),)) for text in texts]


def trim(point: Point, size: Size, *, limit_tokens: int, ids: int) -> Point:
    """Return the point with at most ``ids`` citations and a line within the limit, its text cut if necessary."""
    point = Point(point.text, point.segment_ids[:ids])
    while point.segment_ids and size(Point("", point.segment_ids).line) + 1 > limit_tokens // 2:
        point = Point(point.text, point.segment_ids[:-1])
    if size(point.line) + 1 <= limit_tokens:
        return point
    room = _longest_prefix(point.text, lambda text: size(Point(text, point.segment_ids).line) + 1, limit_tokens)
    return Point(point.text[:room].rstrip(), point.segment_ids)


def groups_of(points: Sequence[Point], size: Size, *, budget_tokens: int) -> list[list[Point]]:
    """Group consecutive points by the merge requests that hold them."""
    groups: list[list[Point]] = []
    used = 0
    for point in points:
        tokens = size(point.line) + 1
        if not groups or used + tokens > budget_tokens:
            groups.append([])
            used = 0
        groups[-1].append(point)
        used += tokens
    return groups


def shrink(points: Sequence[Point], size: Size, *, limit_tokens: int, ids: int) -> list[Point]:
    """Fit the points into a limit for all of them: cut the long ones, then leave out the last ones."""
    if total_tokens(points, size) <= limit_tokens:
        return list(points)
    share = max(limit_tokens // max(len(points), 1), 12)
    kept: list[Point] = []
    used = 0
    for point in (trim(point, size, limit_tokens=share, ids=min(ids, 2)) for point in points):
        used += size(point.line) + 1
        if kept and used > limit_tokens:
            break
        kept.append(point)
    return kept


def total_tokens(points: Iterable[Point], size: Size) -> int:
    """Return the tokens of all their lines."""
    return sum(size(point.line) + 1 for point in points)


def _line_size(number: int, text: str, *, size: Size) -> int:
    return size(f"[{number}] {text}") + 1


def _longest_prefix(text: str, size: Size, limit_tokens: int) -> int:
    """Return the length of the longest prefix within the limit, at least 1; ``size`` grows with the text."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= limit_tokens else (low, middle - 1)
    return low
