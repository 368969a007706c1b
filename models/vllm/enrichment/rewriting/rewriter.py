"""Rewriting of a transcript by the language model: a translation, or the mentions to redact."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

from models.vllm.answers.reading import InvalidAnswer
from models.vllm.enrichment.asker import Asker, Question, RequestTotals
from models.vllm.enrichment.planner import Passage, chunks_of, passages_of
from models.vllm.enrichment.prompts import task_text
from models.vllm.enrichment.rewriting.patterns import RedactionKind
from models.vllm.enrichment.rewriting.redaction import Mention
from models.vllm.servers.problems import ContextExceeded
from models.vllm.tasks import gather_or_cancel
from schemas.transcripts.joining import join_texts
from schemas.transcripts.transcript import Segment

LINES_PER_REQUEST: Final = 8
"""Lines of one translation request; more are faster, fewer lose their order less often in a small model."""
LINE_SHARE: Final = 0.25
"""Share of the answer's tokens that one line of the source may take."""
LINES_SHARE: Final = 0.4
"""Share of the answer's tokens that all lines of a request may take: a translation may need twice as many."""
TRANSLATION_CHARACTERS: Final = 600
MENTIONS_PER_REQUEST: Final = 24

Passages = Sequence[Passage]


@dataclass(frozen=True, slots=True)
class Mentions:
    """Passages that the model named, and the segments that it has read for them."""

    mentions: tuple[Mention, ...]
    read: frozenset[int]


@dataclass(slots=True)
class Rewriter:
    """Puts the lines of one transcript to a server, at most ``concurrency`` requests at a time."""

    asker: Asker
    _: KW_ONLY
    concurrency: int
    completion_tokens: int
    temperature: float

    async def translate(
        self, segments: Sequence[Segment], task: str, language: str, totals: RequestTotals
    ) -> dict[int, str]:
        """Translate into a language; return texts by segment id, without those that the model cannot translate.

        Raises the server's job errors, and EnrichmentInvalid when the context has no room for any line.
        """
        spoken = [segment for segment in segments if segment.text.strip()]
        whole_task = task_text(task, language)
        answer = self.asker.completion_tokens(self.completion_tokens)
        room = await self.asker.tokens_for_lines(whole_task, answer)
        limit = max(int(min(answer * LINE_SHARE, room)), 8)
        passages = passages_of(spoken, self.asker.estimate, limit_tokens=limit)
        groups = _groups(passages, limit_tokens=int(min(answer * LINES_SHARE, room)))

        def question(part: Passages) -> Question:
            return self._question("translation", part, whole_task, _lines(len(part)))

        answered = await self._answers(groups, question, totals)
        pairs = [pair for part, lines in answered for pair in zip(part, lines["lines"], strict=True)]
        return _whole_segments(passages, [(passage, text) for passage, text in pairs if text.strip()])

    async def find_mentions(self, segments: Sequence[Segment], task: str, totals: RequestTotals) -> Mentions:
        """List the names and addresses in the segments. A part for which there is no valid answer is not read.

        Raises the server's job errors, and EnrichmentInvalid when the context has no room for any line.
        """
        room = await self.asker.tokens_for_lines(task, self.asker.completion_tokens(self.completion_tokens))
        passages = passages_of(segments, self.asker.estimate, limit_tokens=room)
        chunks = [chunk.passages for chunk in chunks_of(passages, budget_tokens=room)]

        def question(part: Passages) -> Question:
            return self._question("redact", part, task, _MENTIONS)

        answered = await self._answers(chunks, question, totals)
        mentions = dict.fromkeys(mention for _, answer in answered for mention in _mentions(answer))
        read = frozenset(passage.segment_id for part, _ in answered for passage in part)
        return Mentions(tuple(mentions), read)

    async def _answers(
        self, parts: Iterable[Passages], question: Callable[[Passages], Question], totals: RequestTotals
    ) -> list[tuple[Passages, Any]]:
        """Ask about each part; return the parts that have an answer, in order, with it."""
        slots = asyncio.Semaphore(self.concurrency)

        async def one(part: Passages) -> list[tuple[Passages, Any]]:
            async with slots:
                return await self._answer_or_halve(part, question, totals)

        return [pair for found in await gather_or_cancel(map(one, parts)) for pair in found]

    async def _answer_or_halve(
        self, part: Passages, question: Callable[[Passages], Question], totals: RequestTotals
    ) -> list[tuple[Passages, Any]]:
        """Ask about a part, in halves if there is no valid answer; a passage without one is left out."""
        try:
            return [(part, await self.asker.answer(question(part), totals))]
        except (InvalidAnswer, ContextExceeded):
            if len(part) == 1:
                return []
            middle = len(part) // 2
            halves = (part[:middle], part[middle:])
            return [pair for half in halves for pair in await self._answer_or_halve(half, question, totals)]

    def _question(self, name: str, passages: Passages, task: str, schema: dict[str, Any]) -> Question:
        return Question(
            name=name,
            lines=tuple(passage.line for passage in passages),
            task=task,
            schema=schema,
            completion_tokens=self.asker.completion_tokens(self.completion_tokens),
            temperature=self.temperature,
        )


def _lines(count: int) -> dict[str, Any]:
    """Return the schema of a translation: as many strings as lines, so that none is left out or added."""
    text = {"type": "string", "minLength": 1, "maxLength": TRANSLATION_CHARACTERS}
    lines = {"type": "array", "minItems": count, "maxItems": count, "items": text}
    return {"type": "object", "additionalProperties": False, "required": ["lines"], "properties": {"lines": lines}}


_MENTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mentions"],
    "properties": {
        "mentions": {
            "type": "array",
            "maxItems": MENTIONS_PER_REQUEST,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["text", "kind"],
                "properties": {
                    "text": {"type": "string", "maxLength": 60},
                    "kind": {"enum": [RedactionKind.NAME.value, RedactionKind.ADDRESS.value]},
                },
            },
        }
    },
}


def _mentions(answer: dict[str, Any]) -> list[Mention]:
    return [Mention(one["text"].strip(), RedactionKind(one["kind"])) for one in answer["mentions"]]


def _groups(passages: Iterable[Passage], *, limit_tokens: int) -> list[list[Passage]]:
    groups: list[list[Passage]] = []
    used = 0
    for passage in passages:
        if not groups or len(groups[-1]) == LINES_PER_REQUEST or used + passage.tokens > limit_tokens:
            groups.append([])
            used = 0
        groups[-1].append(passage)
        used += passage.tokens
    return groups


def _whole_segments(passages: Iterable[Passage], pairs: Iterable[tuple[Passage, str]]) -> dict[int, str]:
    """Join the passages of each segment; a segment of which one passage is missing is left out."""
    wanted: defaultdict[int, int] = defaultdict(int)
    for passage in passages:
        wanted[passage.segment_id] += 1
    texts: defaultdict[int, list[str]] = defaultdict(list)
    for passage, text in pairs:
        texts[passage.segment_id].append(text)
    return {number: join_texts(found) for number, found in texts.items() if len(found) == wanted[number]}
