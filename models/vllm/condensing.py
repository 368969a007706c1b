"""Long transcripts: notes are taken chunk by chunk, then merged level by level until one request holds them."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from models.vllm.answers import InvalidAnswer
from models.vllm.asking import Asker, Question, Tally
from models.vllm.cleaning import as_material
from models.vllm.planner import (
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
from models.vllm.problems import ContextExceeded
from models.vllm.prompts import COMPACT, MAP_VERSION
from models.vllm.together import together
from schemas.errors import EnrichmentInvalid
from schemas.transcript import Segment

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

Result = TypeVar("Result")
OnChunk = Callable[[int, int], None]
"""Told how many chunks are done, of how many."""


class MapCache(Protocol):
    """Notes by digest of chunk, prompt and model. Both calls block, may be made from any thread, and may fail by
    returning None or doing nothing: a cache saves work, it decides nothing."""

    def find_map_result(self, digest: str) -> bytes | None:
        """What was put under this digest, or None."""
        ...

    def put_map_result(self, digest: str, result: bytes) -> None:
        """Keeps a result. Putting another one under the same digest may do nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Notes:
    """What was noted of a transcript. ``seen`` holds every segment that the model was shown."""

    points: tuple[Point, ...]
    seen: frozenset[int]
    shortened: bool = False


@dataclass(slots=True)
class Condenser:
    """Takes and merges notes for one transcript, a bounded number of requests at a time."""

    asker: Asker
    tally: Tally
    concurrency: int
    cache: MapCache | None = None
    on_chunk: OnChunk | None = None

    @property
    def _ids(self) -> int:
        return IDS_PER_POINT_COMPACT if self.asker.words is COMPACT else IDS_PER_POINT

    async def notes(self, segments: Sequence[Segment], language: str) -> Notes:
        """Notes on every segment. ``language`` is the sentence that says in which to write.

        Raises EnrichmentInvalid when the context is too small for any text at all, and the pool's job errors.
        """
        task = f"{self.asker.words.map_task} {language}".strip()
        room = await self.room(task, NOTES_COMPLETION_TOKENS)
        passages = passages_of(segments, self.asker.measure, limit_tokens=room)
        chunks = chunks_of(passages, budget_tokens=room)
        done = 0

        async def noted(chunk: Chunk) -> list[Point]:
            nonlocal done
            points = await self._noted(chunk, task)
            done += 1
            if self.on_chunk:
                self.on_chunk(done, len(chunks))
            return points

        found = await self._each(noted, chunks)
        seen = frozenset(number for chunk in chunks for number in chunk.segment_ids)
        return Notes(tuple(point for points in found for point in points), seen)

    async def merged(self, notes: Notes, task: str, completion: int, *, share: float = 1.0) -> Notes:
        """The notes in so few words that a request with this task holds them, in this share of the room."""
        room = int(await self.room(task, completion) * share)
        ids = self._ids
        size = self.asker.measure
        points = [trimmed(point, size, limit_tokens=int(room * POINT_SHARE), ids=ids) for point in notes.points]
        shortened = False
        merging = self.asker.words.reduce_task
        for _ in range(LEVELS):
            if total(points, size) <= room:
                break
            budget = await self.room(merging, NOTES_COMPLETION_TOKENS)
            points = [trimmed(point, size, limit_tokens=int(budget * POINT_SHARE), ids=ids) for point in points]
            groups = groups_of(points, size, budget_tokens=budget)
            found = await self._each(lambda group: self._merged(group, merging), groups)
            points = [point for group in found for point in group]
        if total(points, size) > room:
            shortened = True
            points = shrunk(points, size, limit_tokens=room, ids=ids)
        return Notes(tuple(points), notes.seen, shortened)

    async def room(self, task: str, completion: int) -> int:
        """Tokens for lines beside this task and its answer. Raises EnrichmentInvalid when there are too few."""
        question = self._question("room", (), task, self.asker.completion(completion))
        context = self.asker.served.context_tokens
        fixed = await self.asker.size(self.asker.prompt(question))
        room = prompt_tokens(context, question.completion_tokens) - fixed
        if room < ROOM_MINIMUM_TOKENS:
            raise EnrichmentInvalid(
                f"a task of {fixed} tokens leaves {max(room, 0)} for the transcript in a context of {context}: "
                "shorten it, or serve the model with a larger --max-model-len"
            )
        return room

    async def _noted(self, chunk: Chunk, task: str) -> list[Point]:
        question = self._question(
            "notes", tuple(chunk.lines), task, self.asker.completion(NOTES_COMPLETION_TOKENS)
        )
        digest = self._digest(question)
        if (cached := await self._find(digest)) is not None:
            return cached
        if not self.asker.measure.is_a_bound and not await self.asker.fits(question):
            return await self._noted_in_halves(chunk, task)
        try:
            points = self._points(await self.asker.value(question, self.tally), chunk.segment_ids)
        except ContextExceeded:
            return await self._noted_in_halves(chunk, task)
        except InvalidAnswer:
            return [Point(passage.text[:NOTE_CHARACTERS], (passage.segment_id,)) for passage in chunk.passages]
        await self._put(digest, points)
        return points

    async def _noted_in_halves(self, chunk: Chunk, task: str) -> list[Point]:
        parts = halves(chunk, self.asker.measure)
        if len(parts) == 1:
            raise EnrichmentInvalid(
                f"the model's context of {self.asker.served.context_tokens} tokens holds no text"
            )
        return [point for part in parts for point in await self._noted(part, task)]

    async def _merged(self, group: list[Point], task: str) -> list[Point]:
        size, ids = self.asker.measure, self._ids
        limit = int(total(group, size) * SHRINK)
        if len(group) == 1:
            return group
        lines = tuple(point.line for point in group)
        question = self._question("merge", lines, task, self.asker.completion(NOTES_COMPLETION_TOKENS))
        known = frozenset(number for point in group for number in point.segment_ids)
        try:
            points = self._points(await self.asker.value(question, self.tally), known)
        except (InvalidAnswer, ContextExceeded):
            points = group  # shortened by rule instead
        return shrunk(
            [trimmed(point, size, limit_tokens=limit, ids=ids) for point in points],
            size,
            limit_tokens=limit,
            ids=ids,
        )

    def _points(self, value: Any, known: frozenset[int]) -> list[Point]:
        """Notes are made of untrusted speech, and go into the next prompt: they are material as well."""
        points = (
            Point(as_material(item["text"]), tuple(dict.fromkeys(n for n in item["segment_ids"] if n in known)))
            for item in value["points"]
        )
        return [point for point in points if point.text]

    def _question(self, name: str, lines: tuple[str, ...], task: str, completion: int) -> Question:
        return Question(name, lines, task, POINTS_SCHEMA, completion, NOTES_TEMPERATURE)

    def _digest(self, question: Question) -> str:
        parts = [MAP_VERSION, self.asker.served.model, self.asker.words.system, question.task, *question.lines]
        return hashlib.sha256(json.dumps([*parts, question.completion_tokens, POINTS_SCHEMA]).encode()).hexdigest()

    async def _find(self, digest: str) -> list[Point] | None:
        raw = await asyncio.to_thread(self.cache.find_map_result, digest) if self.cache else None
        if raw is None:
            return None
        try:
            return [Point(str(text), tuple(map(int, numbers))) for text, numbers in json.loads(raw)]
        except (ValueError, TypeError):
            return None  # of another version, or damaged: taken again

    async def _put(self, digest: str, points: Iterable[Point]) -> None:
        if self.cache:
            raw = json.dumps([(point.text, point.segment_ids) for point in points], ensure_ascii=False).encode()
            keeping = asyncio.ensure_future(asyncio.to_thread(self.cache.put_map_result, digest, raw))
            try:
                await asyncio.shield(keeping)
            except asyncio.CancelledError:
                # The thread goes on whatever we do: who is told of the end may rely on what was kept until then.
                await keeping
                raise

    async def _each(self, work: Callable[[Any], Awaitable[Result]], items: Sequence[Any]) -> list[Result]:
        """The results in order, so many at a time: one long transcript must not crowd out the others."""
        places = asyncio.Semaphore(self.concurrency)

        async def placed(item: Any) -> Result:
            async with places:
                return await work(item)

        return await together([placed(item) for item in items])
