"""Notes on a chunk of a transcript, and notes merged into fewer: one request each, with a rule as fallback."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

from models.vllm.answers.cleaning import as_material
from models.vllm.answers.reading import InvalidAnswer
from models.vllm.enrichment.asker import Asker, Checks, Question, RequestTotals
from models.vllm.enrichment.notes_cache import NotesCache
from models.vllm.enrichment.planner import (
    IDS_PER_POINT,
    IDS_PER_POINT_COMPACT,
    SHRINK,
    Chunk,
    Point,
    halve,
    shrink,
    total_tokens,
    trim,
)
from models.vllm.enrichment.prompts import COMPACT, NOTES_VERSION
from models.vllm.servers.problems import ContextExceeded
from schemas.errors import EnrichmentInvalid
from schemas.transcripts.answer_flags import AnswerFlag

NOTES: Final = "notes"
NOTES_COMPLETION_TOKENS: Final = 768
NOTES_TEMPERATURE: Final = 0.2
NOTE_CHARACTERS: Final = 240

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


@dataclass(frozen=True, slots=True)
class NotedPart:
    """Notes of one chunk or group. The model did not note ``unseen`` segments; ``shortened``: words were cut."""

    points: list[Point]
    unseen: frozenset[int] = frozenset()
    shortened: bool = False


@dataclass(slots=True)
class NoteTaker:
    """Takes and merges notes for one transcript, at most ``concurrency`` requests at a time."""

    asker: Asker
    cache: NotesCache
    _: KW_ONLY
    concurrency: int
    languages: tuple[str, ...] = ()
    """Codes of the languages that notes may be in; empty: any."""
    totals: RequestTotals = field(default_factory=RequestTotals)
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    @property
    def ids_per_point(self) -> int:
        """How many segments a point may cite in this context."""
        return IDS_PER_POINT_COMPACT if self.asker.wording is COMPACT else IDS_PER_POINT

    async def note(self, chunk: Chunk, task: str) -> NotedPart:
        """Note a chunk, in halves if the server finds it too long, and by its own words if the model cannot.

        Raises EnrichmentInvalid when the context holds no text at all, and the server's job errors.
        """
        async with self._slots:
            return await self._note(chunk, task)

    async def merge(self, group: list[Point], task: str) -> NotedPart:
        """Merge a group to at most ``SHRINK`` of its size, by rule where the model does not. Raises job errors."""
        if len(group) == 1:
            return NotedPart(group)
        async with self._slots:
            points = await self._merge_by_model(group, task) or group
        estimate, ids = self.asker.estimate, self.ids_per_point
        limit = int(total_tokens(group, estimate) * SHRINK)
        short = [trim(point, estimate, limit_tokens=limit, ids=ids) for point in points]
        short = shrink(short, estimate, limit_tokens=limit, ids=ids)
        return NotedPart(short, shortened=texts_differ(short, points))

    async def _note(self, chunk: Chunk, task: str) -> NotedPart:
        question = self._question(NOTES, chunk.lines, task, chunk.segment_ids)
        digest = self._digest(question)
        if (cached := await self._find(digest)) is not None:
            return NotedPart(cached)
        if not self.asker.estimate.is_a_bound and not await self.asker.fits(question):
            return await self._note_halves(chunk, task)
        try:
            points = await self._ask(question, digest)
        except ContextExceeded:
            return await self._note_halves(chunk, task)
        except InvalidAnswer:
            return note_by_rule(chunk)
        return NotedPart(points)

    async def _note_halves(self, chunk: Chunk, task: str) -> NotedPart:
        parts = halve(chunk, self.asker.estimate)
        if len(parts) == 1:
            raise EnrichmentInvalid(
                f"the model's context of {self.asker.model.context_tokens} tokens holds no text"
            )
        return join_parts([await self._note(part, task) for part in parts])

    async def _merge_by_model(self, group: list[Point], task: str) -> list[Point] | None:
        cited = frozenset(number for point in group for number in point.segment_ids)
        question = self._question("merge", [point.line for point in group], task, cited)
        digest = self._digest(question)
        if (cached := await self._find(digest)) is not None:
            return cached
        try:
            return await self._ask(question, digest)
        except (InvalidAnswer, ContextExceeded):
            return None

    async def _ask(self, question: Question, digest: str) -> list[Point]:
        """Return the points of an answer, which are stored. Raises InvalidAnswer for a flagged one."""
        answer = await self.asker.ask(question, self.totals)
        flags = frozenset(answer.flags) - {AnswerFlag.DUPLICATE_ITEMS}
        if flags:
            raise InvalidAnswer(f"the notes are flagged {', '.join(sorted(flags))}", answer.flags)
        points = _points(answer.value)
        if points:
            await self.cache.put(digest, points, is_truncated=answer.is_truncated)
        return points

    async def _find(self, digest: str) -> list[Point] | None:
        points, is_truncated = await self.cache.find(digest) or (None, False)
        self.totals.is_truncated = self.totals.is_truncated or is_truncated
        return points

    def _question(self, name: str, lines: Iterable[str], task: str, segment_ids: frozenset[int]) -> Question:
        return Question(
            name=name,
            lines=tuple(lines),
            task=task,
            schema=POINTS_SCHEMA,
            completion_tokens=self.asker.completion_tokens(NOTES_COMPLETION_TOKENS),
            temperature=NOTES_TEMPERATURE,
            segment_ids=segment_ids,
            checks=Checks(self.languages if name == NOTES else (), may_be_empty=False),
        )

    def _digest(self, question: Question) -> str:
        parts = [
            NOTES_VERSION,
            self.asker.model.name,
            self.asker.wording.system,
            question.task,
            *question.lines,
            question.completion_tokens,
            POINTS_SCHEMA,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def note_by_rule(chunk: Chunk) -> NotedPart:
    """Note a chunk by its own words. Repeated passages are left out: the chunk before noted them."""
    own = chunk.passages[chunk.repeated :]
    points = [Point(passage.text[:NOTE_CHARACTERS], (passage.segment_id,)) for passage in own]
    return NotedPart(
        points,
        unseen=frozenset(passage.segment_id for passage in own),
        shortened=any(len(passage.text) > NOTE_CHARACTERS for passage in own),
    )


def join_parts(parts: Sequence[NotedPart]) -> NotedPart:
    """Join parts in order."""
    return NotedPart(
        [point for part in parts for point in part.points],
        frozenset[int]().union(*(part.unseen for part in parts)),
        any(part.shortened for part in parts),
    )


def texts_differ(some: Iterable[Point], others: Iterable[Point]) -> bool:
    """Return whether the texts of points differ; which segments they cite does not matter."""
    return [point.text for point in some] != [point.text for point in others]


def _points(answer: Any) -> list[Point]:
    """Read points from an answer, cleaned like transcripts: they hold untrusted speech and go into prompts.

    Points without a letter say nothing. Equal ones become one that cites the segments of all.
    """
    cited: dict[str, list[int]] = {}
    for item in answer["points"]:
        text = as_material(item["text"])
        if any(map(str.isalpha, text)):
            cited.setdefault(text, []).extend(item["segment_ids"])
    return [Point(text, tuple(dict.fromkeys(numbers))) for text, numbers in cited.items()]
