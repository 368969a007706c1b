"""One transcript's enrichment: the first task alone, the others when its prefix is in the server's cache."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from models.vllm.enrichment.answers import InvalidAnswer, citations
from models.vllm.enrichment.asker import Asker, Question, Tally, sum_of, token_usage
from models.vllm.enrichment.cleaning import as_material
from models.vllm.enrichment.condenser import Condenser, Notes
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.prompts import language_sentence, task_text
from models.vllm.enrichment.token_estimate import Measure
from models.vllm.servers.completion import OnText
from models.vllm.servers.problems import ContextExceeded
from models.vllm.tasks import gather_or_cancel
from schemas.clock import Clock
from schemas.errors import EnrichmentInvalid, Reason
from schemas.events import EnrichmentResult, EnrichmentStatus, Failure, TokenUsage
from schemas.options import Lane
from schemas.transcripts.transcript import Segment

MEASURED_CHARACTERS: Final = 8_000
NOTES_SHARES: Final = (1.0, 0.5, 0.25)
"""Of the room, where sizes are estimates and the server finds the notes too long all the same."""
OnProfileText = Callable[[str, str | None], None]
"""Takes a profile's name and a piece of its answer; None takes back what came before."""


@dataclass(frozen=True, slots=True)
class EnrichRequest:
    """What is to be made of one transcript. ``attempt`` counts from 1 and is only reported."""

    job_id: str
    segments: tuple[Segment, ...]
    transcript_language: str | None
    profiles: tuple[Profile, ...]
    answer_language: str | None = None
    lane: Lane = Lane.BULK
    tenant: str = "default"
    attempt: int = 1

    @property
    def has_text(self) -> bool:
        """Whether there is anything to work on."""
        return any(segment.text.strip() for segment in self.segments)

    @property
    def segment_ids(self) -> frozenset[int]:
        """What may be cited."""
        return frozenset(segment.id for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What came of it. ``usage`` is that of all requests, those that several results share included."""

    model: str
    results: tuple[EnrichmentResult, ...]
    usage: TokenUsage
    total_seconds: float


@dataclass(slots=True)
class Run:
    """One transcript in work. Used once, from one event loop."""

    request: EnrichRequest
    asker: Asker
    condenser: Condenser
    on_text: OnProfileText | None
    measures: dict[str | None, Measure]
    clock: Clock
    _lines: tuple[str, ...] = ()

    async def enrichment(self) -> Enrichment:
        """The results in the order of the profiles.

        Raises EnrichmentInvalid when no answer was valid, EnrichmentFailed and DependencyDown from the pool.
        """
        started = self.clock.monotonic()
        await self._measure()
        begun = asyncio.Event()
        first, *others = self.request.profiles
        results = await gather_or_cancel([self._first(first, begun), *(self._other(one, begun) for one in others)])
        if all(result.status is EnrichmentStatus.INVALID for result in results):
            raise EnrichmentInvalid("; ".join(f"{r.profile}: {r.failure.message}" for r in results if r.failure))
        shared = token_usage(self.condenser.tally.usage)
        usage = sum_of([shared, *(result.usage for result in results)])
        return Enrichment(self.asker.model.name, tuple(results), usage, self.clock.monotonic() - started)

    async def _measure(self) -> None:
        """Long transcripts are measured themselves, short ones by the first of their language that was met."""
        known, language = self.measures, self.request.transcript_language
        texts = [as_material(segment.text) for segment in self.request.segments]
        self._lines = tuple(
            f"[{segment.id}] {text}" for segment, text in zip(self.request.segments, texts, strict=True)
        )
        is_short = sum(map(len, texts)) < MEASURED_CHARACTERS
        if is_short and language in known:
            self.asker.measure = known[language]
        else:
            known[language] = await self.asker.calibrate(texts)

    async def _first(self, profile: Profile, begun: asyncio.Event) -> EnrichmentResult:
        shares_prefix = len(self.request.profiles) > 1
        try:
            return await self._result(profile, begun if shares_prefix else None)
        finally:
            begun.set()

    async def _other(self, profile: Profile, begun: asyncio.Event) -> EnrichmentResult:
        await begun.wait()
        return await self._result(profile, None)

    async def _result(self, profile: Profile, begun: asyncio.Event | None) -> EnrichmentResult:
        started, tally = self.clock.monotonic(), Tally()
        try:
            output, notes = await self._answered(profile, tally, self._listener(profile, begun))
        except (InvalidAnswer, EnrichmentInvalid) as invalid:
            return self._invalid(profile, str(invalid), tally, started)
        everything = self.request.segment_ids
        seen = notes.seen if notes else everything
        endings = [*tally.endings, *(self.condenser.tally.endings if notes else ())]
        return EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.COMPLETED,
            output=output,
            citations=_cited(output, notes),
            coverage=len(seen) / len(everything),
            truncated=bool(endings) or bool(notes and notes.shortened),
            finish_reasons=tuple(sorted(set(endings))),
            usage=token_usage(tally.usage),
            seconds=self.clock.monotonic() - started,
        )

    async def _answered(self, profile: Profile, tally: Tally, on_text: OnText | None) -> tuple[Any, Notes | None]:
        request = self.request
        language = language_sentence(request.answer_language, request.transcript_language)
        question = Question(
            name=profile.name,
            lines=self._lines,
            task=task_text(profile.task, language),
            schema=profile.schema,
            completion_tokens=self.asker.completion(profile.max_completion_tokens),
            temperature=profile.temperature,
            known=request.segment_ids,
        )
        if await self.asker.fits(question):
            try:
                return await self.asker.value(question, tally, on_text), None
            except ContextExceeded:
                pass  # the server counts otherwise than it tells: in parts, then
        return await self._from_notes(question, language, tally, on_text)

    async def _from_notes(
        self, question: Question, language: str, tally: Tally, on_text: OnText | None
    ) -> tuple[Any, Notes]:
        task, completion = self._about_notes(question)
        await self.condenser.room(task, completion)  # a task too long is refused before any work
        await self.condenser.take(self.request.segments, language)
        for share in NOTES_SHARES:
            task, completion = self._about_notes(question)  # again: the context may have turned out smaller
            notes = await self.condenser.merged(task, completion, share=share)
            lines = tuple(point.line for point in notes.points)
            about = replace(question, lines=lines, task=task, completion_tokens=completion)
            if not self.asker.measure.is_a_bound and not await self.asker.fits(about):
                continue
            try:
                return await self.asker.value(about, tally, on_text), notes
            except ContextExceeded:
                continue
        raise InvalidAnswer(f"the notes do not fit the context of {self.asker.model.context_tokens} tokens")

    def _about_notes(self, question: Question) -> tuple[str, int]:
        words = self.asker.words.notes_preface + question.task
        return words, self.asker.completion(question.completion_tokens)

    def _listener(self, profile: Profile, begun: asyncio.Event | None) -> OnText | None:
        heard = self.on_text
        if begun is None and heard is None:
            return None

        def hear(piece: str | None) -> None:
            if begun:
                begun.set()
            if heard:
                heard(profile.name, piece)

        return hear

    def _invalid(self, profile: Profile, message: str, tally: Tally, started: float) -> EnrichmentResult:
        return EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.INVALID,
            output=None,
            coverage=0.0,
            failure=Failure(reason=Reason.ENRICHMENT_INVALID, message=message, attempt=self.request.attempt),
            usage=token_usage(tally.usage),
            seconds=self.clock.monotonic() - started,
        )


def skipped(profiles: Sequence[Profile]) -> tuple[EnrichmentResult, ...]:
    """The results of a transcript without words: the model is not asked to invent some."""
    return tuple(
        EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.SKIPPED,
            output=None,
            coverage=1.0,
        )
        for profile in profiles
    )


def _cited(output: Any, notes: Notes | None) -> tuple[int, ...]:
    """What the output cites; a free text made from notes rests on what they cite."""
    if isinstance(output, str):
        found = [number for point in notes.points for number in point.segment_ids] if notes else []
    else:
        found = list(citations(output))
    return tuple(sorted(set(found)))
