"""Long transcripts: notes are taken chunk by chunk, then merged level by level until one request holds them."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.vllm.enrichment.answers import InvalidAnswer
from models.vllm.enrichment.asker import Asker, Question, Tally
from models.vllm.enrichment.cleaning import as_material
from models.vllm.enrichment.notes_cache import KeptNotes
from models.vllm.enrichment.planner import (
    IDS_PER_POINT,
    IDS_PER_POINT_COMPACT,
    POINT_SHARE,
    SHRINK,
    Chunk,
    Point,
    chunks_of,
    groups_of,
    halves,
    passages_of,
    prompt_tokens,
    shrunk,
    total,
    trimmed,
)
from models.vllm.enrichment.ports import NoteStore
from models.vllm.enrichment.prompts import COMPACT, MAP_VERSION
from models.vllm.servers.problems import ContextExceeded
from models.vllm.tasks import gather_or_cancel
from schemas.errors import EnrichmentInvalid
from schemas.transcripts.transcript import Segment

NOTES_COMPLETION_TOKENS: Final = 768
NOTES_TEMPERATURE: Final = 0.2
NOTE_CHARACTERS: Final = 240
ROOM_MINIMUM_TOKENS: Final = 48
"""With less room for the material itself, a context is too small for its prompt."""
LEVELS: Final = 64
"""Of merging; each leaves at most 0.7 of the one before, so a million tokens need 33 to become 10."""

POINTS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["points"],
    "properties": {
        "points": {
            "type": "array",
            "maxItems": 24,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["text", "segment_ids"],
                "properties": {
                    "text": {"type": "string", "maxLength": NOTE_CHARACTERS},
                    "segment_ids": {"type": "array", "maxItems": IDS_PER_POINT, "items": {"type": "integer"}},
                },
            },
        }
    },
}

OnChunk = Callable[[int, int], None]
"""Told how many chunks are done, of how many."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What was noted of a transcript. ``seen`` holds every segment of which the model has noted all; ``shortened``
    says that words were cut by rule."""

    points: tuple[Point, ...]
    seen: frozenset[int]
    shortened: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """What came of one request: its points, the segments that the model did not note, whether words were cut."""

    points: list[Point]
    unseen: frozenset[int] = frozenset()
    cut: bool = False


@dataclass(slots=True)
class Condenser:
    """Takes and merges notes for one transcript, a bounded number of requests at a time, each only once."""

    asker: Asker
    tally: Tally
    concurrency: int
    cache: NoteStore | None = None
    on_chunk: OnChunk | None = None
    _levels: list[Notes] = field(default_factory=list)
    """The notes as they were taken, then merged once, twice and so on, as far as anybody needed them."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.concurrency)

    @property
    def _kept(self) -> KeptNotes:
        return KeptNotes(self.cache)

    @property
    def _ids(self) -> int:
        return IDS_PER_POINT_COMPACT if self.asker.words is COMPACT else IDS_PER_POINT

    async def take(self, segments: Sequence[Segment], language: str) -> None:
        """Notes every segment, the first time. ``language`` is the sentence that says in which to write.

        Raises EnrichmentInvalid when the context is too small for any text at all, and the pool's job errors.
        """
        async with self._turn:
            if not self._levels:
                self._levels.append(await self._taken(segments, language))

    async def merged(self, task: str, completion: int, *, share: float = 1.0) -> Notes:
        """What was taken, in so few words that a request with this task holds them, in this share of the room.

        What several tasks need is merged for all of them.
        """
        room = int(await self.room(task, completion) * share)
        async with self._turn:
            for level in range(LEVELS):
                notes = self._trimmed(self._levels[level], room)
                if total(notes.points, self.asker.measure) <= room:
                    return notes
                if level + 1 == len(self._levels):
                    self._levels.append(await self._next(self._levels[level]))
                if self._levels[level + 1].points == self._levels[level].points:
                    break
        kept = shrunk(notes.points, self.asker.measure, limit_tokens=room, ids=self._ids)
        return Notes(tuple(kept), notes.seen, shortened=True)

    async def _taken(self, segments: Sequence[Segment], language: str) -> Notes:
        task = f"{self.asker.words.map_task} {language}".strip()
        room = await self.room(task, NOTES_COMPLETION_TOKENS)
        passages = passages_of(segments, self.asker.measure, limit_tokens=room)
        chunks = chunks_of(passages, budget_tokens=room)
        done = 0

        async def noted(chunk: Chunk) -> _Part:
            nonlocal done
            async with self._places:
                part = await self._noted(chunk, task)
            done += 1
            if self.on_chunk:
                self.on_chunk(done, len(chunks))
            return part

        whole = _joined(await gather_or_cancel([noted(chunk) for chunk in chunks]))
        return Notes(tuple(whole.points), frozenset(s.id for s in segments) - whole.unseen, whole.cut)

    async def _next(self, notes: Notes) -> Notes:
        """The notes merged once, each group of them that a request holds."""
        task = self.asker.words.reduce_task
        budget = await self.room(task, NOTES_COMPLETION_TOKENS)
        notes = self._trimmed(notes, budget)
        groups = groups_of(notes.points, self.asker.measure, budget_tokens=budget)
        whole = _joined(await gather_or_cancel([self._merged(group, task) for group in groups]))
        return Notes(tuple(whole.points), notes.seen, notes.shortened or whole.cut)

    def _trimmed(self, notes: Notes, room: int) -> Notes:
        """No point takes so much of the room that it cannot be merged with another."""
        size, limit = self.asker.measure, int(room * POINT_SHARE)
        points = [trimmed(point, size, limit_tokens=limit, ids=self._ids) for point in notes.points]
        return Notes(tuple(points), notes.seen, notes.shortened or _differ(points, notes.points))

    async def room(self, task: str, completion: int) -> int:
        """Tokens for lines beside this task and its answer. Raises EnrichmentInvalid when there are too few."""
        question = self._question("room", (), task, self.asker.completion(completion))
        context = self.asker.model.context_tokens
        fixed = await self.asker.size(self.asker.prompt(question))
        room = prompt_tokens(context, question.completion_tokens) - fixed
        if room < ROOM_MINIMUM_TOKENS:
            raise EnrichmentInvalid(
                f"a task of {fixed} tokens leaves {max(room, 0)} for the transcript in a context of {context}: "
                "shorten it, or serve the model with a larger --max-model-len"
            )
        return room

    async def _noted(self, chunk: Chunk, task: str) -> _Part:
        completion = self.asker.completion(NOTES_COMPLETION_TOKENS)
        question = self._question("notes", tuple(chunk.lines), task, completion, chunk.segment_ids)
        digest = self._digest(question)
        if (kept := await self._kept.find(digest)) is not None:
            return _Part(kept)
        if not self.asker.measure.is_a_bound and not await self.asker.fits(question):
            return await self._noted_in_halves(chunk, task)
        try:
            points = self._points(await self.asker.value(question, self.tally))
        except ContextExceeded:
            return await self._noted_in_halves(chunk, task)
        except InvalidAnswer:
            return _without_the_model(chunk)
        await self._kept.put(digest, points)
        return _Part(points)

    async def _noted_in_halves(self, chunk: Chunk, task: str) -> _Part:
        parts = halves(chunk, self.asker.measure)
        if len(parts) == 1:
            raise EnrichmentInvalid(
                f"the model's context of {self.asker.model.context_tokens} tokens holds no text"
            )
        return _joined([await self._noted(part, task) for part in parts])

    async def _merged(self, group: list[Point], task: str) -> _Part:
        if len(group) == 1:
            return _Part(group)
        async with self._places:
            # What the model does not merge is shortened by rule, and so is what it merges into too many words.
            points = await self._merged_by_the_model(group, task) or group
        size, ids = self.asker.measure, self._ids
        limit = int(total(group, size) * SHRINK)
        short = [trimmed(point, size, limit_tokens=limit, ids=ids) for point in points]
        short = shrunk(short, size, limit_tokens=limit, ids=ids)
        return _Part(short, cut=_differ(short, points))

    async def _merged_by_the_model(self, group: list[Point], task: str) -> list[Point] | None:
        completion = self.asker.completion(NOTES_COMPLETION_TOKENS)
        known = frozenset(number for point in group for number in point.segment_ids)
        question = self._question("merge", tuple(point.line for point in group), task, completion, known)
        digest = self._digest(question)
        if (kept := await self._kept.find(digest)) is not None:
            return kept
        try:
            points = self._points(await self.asker.value(question, self.tally))
        except (InvalidAnswer, ContextExceeded):
            return None
        if points:
            await self._kept.put(digest, points)
        return points

    def _points(self, value: Any) -> list[Point]:
        """Notes are made of untrusted speech, and go into the next prompt: they are material as well."""
        points = (Point(as_material(item["text"]), tuple(item["segment_ids"])) for item in value["points"])
        return [point for point in points if point.text]

    def _question(
        self, name: str, lines: tuple[str, ...], task: str, completion: int, known: frozenset[int] = frozenset()
    ) -> Question:
        return Question(name, lines, task, POINTS_SCHEMA, completion, NOTES_TEMPERATURE, known)

    def _digest(self, question: Question) -> str:
        parts = [MAP_VERSION, self.asker.model.name, self.asker.words.system, question.task, *question.lines]
        return hashlib.sha256(json.dumps([*parts, question.completion_tokens, POINTS_SCHEMA]).encode()).hexdigest()


def _without_the_model(chunk: Chunk) -> _Part:
    """What was said, instead of a note on it. Passages that are repeated were noted with the chunk before."""
    own = chunk.passages[chunk.repeated :]
    points = [Point(passage.text[:NOTE_CHARACTERS], (passage.segment_id,)) for passage in own]
    return _Part(
        points,
        unseen=frozenset(passage.segment_id for passage in own),
        cut=any(len(passage.text) > NOTE_CHARACTERS for passage in own),
    )


def _joined(parts: Sequence[_Part]) -> _Part:
    return _Part(
        [point for part in parts for point in part.points],
        frozenset[int]().union(*(part.unseen for part in parts)),
        any(part.cut for part in parts),
    )


def _differ(some: Iterable[Point], others: Iterable[Point]) -> bool:
    """Whether they say other words; which segments they cite does not matter."""
    return [point.text for point in some] != [point.text for point in others]
