"""Long transcripts: notes are taken chunk by chunk, then merged level by level until one request holds them."""

import asyncio
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from models.vllm.enrichment.asker import Asker, RequestTotals
from models.vllm.enrichment.note_taker import (
    NOTES_COMPLETION_TOKENS,
    NotedPart,
    NoteTaker,
    join_parts,
    texts_differ,
)
from models.vllm.enrichment.planner import (
    POINT_SHARE,
    Chunk,
    Point,
    chunks_of,
    groups_of,
    passages_of,
    shrink,
    total_tokens,
    trim,
)
from models.vllm.enrichment.request import OnChunk
from models.vllm.tasks import gather_or_cancel
from schemas.transcripts.transcript import Segment

LEVELS: Final = 64
"""Limit of merge levels. Each leaves at most 0.7 of the one before: a million tokens become 10 in 33 levels."""


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes on a transcript. ``seen`` holds every segment that the model noted completely; ``shortened`` is true
    when text was cut by rule."""

    points: tuple[Point, ...]
    seen: frozenset[int]
    shortened: bool = False


@dataclass(slots=True)
class Condenser:
    """Condenses one transcript for all profiles: each chunk is noted once, each level merged once."""

    asker: Asker
    note_taker: NoteTaker
    _: KW_ONLY
    on_chunk: OnChunk | None = None
    _levels: list[Notes] = field(default_factory=list)
    """The notes as they were taken, then merged once, twice and so on, as far as a task needed them."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def totals(self) -> RequestTotals:
        """Totals of the requests so far."""
        return self.note_taker.totals

    async def take_notes(self, segments: Sequence[Segment], language: str) -> None:
        """Note every segment, the first time. ``language`` is the sentence that names the language of the notes.

        Raises EnrichmentInvalid when the context is too small for any text at all, and the server's job errors.
        """
        async with self._lock:
            if not self._levels:
                self._levels.append(await self._note_all(segments, language))

    async def merge(self, task: str, completion_tokens: int, *, share: float = 1.0) -> Notes:
        """Merge the notes until a request with this task holds them, in this share of its room for lines.

        Levels that several tasks need are merged once for all of them. Raises as ``take_notes`` does.
        """
        limit = int(await self.asker.tokens_for_lines(task, completion_tokens) * share)
        async with self._lock:
            for level in range(LEVELS):
                notes = self._trim(self._levels[level], limit)
                if total_tokens(notes.points, self.asker.estimate) <= limit:
                    return notes
                if level + 1 == len(self._levels):
                    self._levels.append(await self._merge_once(self._levels[level]))
                if self._levels[level + 1].points == self._levels[level].points:
                    break
        ids = self.note_taker.ids_per_point
        kept = shrink(notes.points, self.asker.estimate, limit_tokens=limit, ids=ids)
        return Notes(tuple(kept), notes.seen, shortened=True)

    async def _note_all(self, segments: Sequence[Segment], language: str) -> Notes:
        task = f"{self.asker.wording.note_task} {language}".strip()
        budget = await self.asker.tokens_for_lines(task, NOTES_COMPLETION_TOKENS)
        passages = passages_of(segments, self.asker.estimate, limit_tokens=budget)
        chunks = chunks_of(passages, budget_tokens=budget)
        done = 0

        async def note(chunk: Chunk) -> NotedPart:
            nonlocal done
            part = await self.note_taker.note(chunk, task)
            done += 1
            if self.on_chunk:
                self.on_chunk(done, len(chunks))
            return part

        whole = join_parts(await gather_or_cancel([note(chunk) for chunk in chunks]))
        seen = frozenset(segment.id for segment in segments) - whole.unseen
        return Notes(tuple(whole.points), seen, whole.shortened)

    async def _merge_once(self, notes: Notes) -> Notes:
        """Merge each group of notes that a request holds."""
        task = self.asker.wording.merge_task
        budget = await self.asker.tokens_for_lines(task, NOTES_COMPLETION_TOKENS)
        notes = self._trim(notes, budget)
        groups = groups_of(notes.points, self.asker.estimate, budget_tokens=budget)
        whole = join_parts(await gather_or_cancel([self.note_taker.merge(group, task) for group in groups]))
        return Notes(tuple(whole.points), notes.seen, notes.shortened or whole.shortened)

    def _trim(self, notes: Notes, budget: int) -> Notes:
        """Trim points so that each can be merged with another within the budget."""
        estimate, limit, ids = self.asker.estimate, int(budget * POINT_SHARE), self.note_taker.ids_per_point
        points = [trim(point, estimate, limit_tokens=limit, ids=ids) for point in notes.points]
        return Notes(tuple(points), notes.seen, notes.shortened or texts_differ(points, notes.points))
