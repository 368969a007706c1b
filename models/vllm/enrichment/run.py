"""One transcript's enrichment: the first profile alone, the others once the server has its prefix in the cache."""

import asyncio
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Final

from models.vllm.enrichment.answers import InvalidAnswer
from models.vllm.enrichment.asker import Asker, Question, RequestTotals
from models.vllm.enrichment.cleaning import as_material
from models.vllm.enrichment.condenser import Condenser, Notes
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.prompts import language_sentence, task_text
from models.vllm.enrichment.request import Enrichment, EnrichRequest, OnProfileText
from models.vllm.enrichment.results import cited_segments, sum_of, token_usage
from models.vllm.enrichment.token_estimate import TokenEstimate
from models.vllm.servers.completion import OnText
from models.vllm.servers.problems import ContextExceeded
from models.vllm.tasks import gather_or_cancel
from schemas.clock import Clock
from schemas.errors import EnrichmentInvalid, Reason
from schemas.events import EnrichmentResult, EnrichmentStatus, Failure

CALIBRATED_CHARACTERS: Final = 8_000
"""A transcript at least this long is calibrated alone; shorter ones share the estimate of their language."""
NOTES_SHARES: Final = (1.0, 0.5, 0.25)
"""Shares of the room for notes, tried in order: sizes are estimates, so the server may refuse the notes."""


@dataclass(slots=True)
class Run:
    """The enrichment of one transcript. Used once, on one event loop. ``estimates`` are shared by all runs."""

    request: EnrichRequest
    asker: Asker
    condenser: Condenser
    _: KW_ONLY
    on_text: OnProfileText | None
    estimates: dict[str | None, TokenEstimate]
    clock: Clock
    _lines: tuple[str, ...] = ()

    async def enrich(self) -> Enrichment:
        """Return the results in the order of the profiles.

        Raises EnrichmentInvalid when no answer was valid, EnrichmentFailed and DependencyDown from the server.
        """
        started = self.clock.monotonic()
        await self._prepare()
        prefix_cached = asyncio.Event()
        first, *others = self.request.profiles
        results = await gather_or_cancel(
            [self._run_first(first, prefix_cached), *(self._run_after(other, prefix_cached) for other in others)]
        )
        if all(result.status is EnrichmentStatus.INVALID for result in results):
            raise EnrichmentInvalid("; ".join(f"{r.profile}: {r.failure.message}" for r in results if r.failure))
        usage = sum_of([token_usage(self.condenser.totals.usage), *(result.usage for result in results)])
        return Enrichment(self.asker.model.name, tuple(results), usage, self.clock.monotonic() - started)

    async def _prepare(self) -> None:
        """Build the lines and choose the estimate: calibrated, or for a short transcript that of its language."""
        texts = [as_material(segment.text) for segment in self.request.segments]
        self._lines = tuple(
            f"[{segment.id}] {text}" for segment, text in zip(self.request.segments, texts, strict=True)
        )
        language = self.request.transcript_language
        is_short = sum(map(len, texts)) < CALIBRATED_CHARACTERS
        if is_short and language in self.estimates:
            self.asker.estimate = self.estimates[language]
        else:
            self.estimates[language] = await self.asker.calibrate(texts)

    async def _run_first(self, profile: Profile, prefix_cached: asyncio.Event) -> EnrichmentResult:
        shares_prefix = len(self.request.profiles) > 1
        try:
            return await self._run_profile(profile, prefix_cached if shares_prefix else None)
        finally:
            prefix_cached.set()

    async def _run_after(self, profile: Profile, prefix_cached: asyncio.Event) -> EnrichmentResult:
        await prefix_cached.wait()
        return await self._run_profile(profile, None)

    async def _run_profile(self, profile: Profile, prefix_cached: asyncio.Event | None) -> EnrichmentResult:
        started, totals = self.clock.monotonic(), RequestTotals()
        try:
            output, notes = await self._answer(profile, totals, self._listener(profile, prefix_cached))
        except (InvalidAnswer, EnrichmentInvalid) as invalid:
            return self._invalid_result(profile, str(invalid), totals, started)
        segment_ids = self.request.segment_ids
        seen = notes.seen if notes else segment_ids
        finish_reasons = [*totals.finish_reasons, *(self.condenser.totals.finish_reasons if notes else ())]
        return EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.COMPLETED,
            output=output,
            citations=cited_segments(output, notes.points if notes else ()),
            coverage=len(seen) / len(segment_ids),
            truncated=bool(finish_reasons) or bool(notes and notes.shortened),
            finish_reasons=tuple(sorted(set(finish_reasons))),
            usage=token_usage(totals.usage),
            seconds=self.clock.monotonic() - started,
        )

    async def _answer(
        self, profile: Profile, totals: RequestTotals, on_text: OnText | None
    ) -> tuple[Any, Notes | None]:
        """Answer from the whole transcript if it fits, else from notes, which are returned too."""
        request = self.request
        language = language_sentence(request.answer_language, request.transcript_language)
        question = Question(
            name=profile.name,
            lines=self._lines,
            task=task_text(profile.task, language),
            schema=profile.schema,
            completion_tokens=self.asker.completion_tokens(profile.max_completion_tokens),
            temperature=profile.temperature,
            segment_ids=request.segment_ids,
        )
        if await self.asker.fits(question):
            try:
                return await self.asker.answer(question, totals, on_text), None
            except ContextExceeded:
                pass  # the server's limit differs from its own count: answer from notes
        return await self._answer_from_notes(question, language, totals, on_text)

    async def _answer_from_notes(
        self, question: Question, language: str, totals: RequestTotals, on_text: OnText | None
    ) -> tuple[Any, Notes]:
        about_notes = self._about_notes(question)
        # A task that is too long is refused before any work.
        await self.asker.tokens_for_lines(about_notes.task, about_notes.completion_tokens)
        await self.condenser.take_notes(self.request.segments, language)
        for share in NOTES_SHARES:
            about_notes = self._about_notes(question)  # again: the context may have turned out smaller
            notes = await self.condenser.merge(about_notes.task, about_notes.completion_tokens, share=share)
            about_notes = replace(about_notes, lines=tuple(point.line for point in notes.points))
            if not self.asker.estimate.is_a_bound and not await self.asker.fits(about_notes):
                continue
            try:
                return await self.asker.answer(about_notes, totals, on_text), notes
            except ContextExceeded:
                continue
        raise InvalidAnswer(f"the notes do not fit the context of {self.asker.model.context_tokens} tokens")

    def _about_notes(self, question: Question) -> Question:
        task = self.asker.wording.notes_preface + question.task
        completion_tokens = self.asker.completion_tokens(question.completion_tokens)
        return replace(question, lines=(), task=task, completion_tokens=completion_tokens)

    def _listener(self, profile: Profile, prefix_cached: asyncio.Event | None) -> OnText | None:
        """Return a listener that passes pieces on; the first one shows that the server has cached the prefix."""
        on_text = self.on_text
        if prefix_cached is None and on_text is None:
            return None

        def listen(piece: str | None) -> None:
            if prefix_cached:
                prefix_cached.set()
            if on_text:
                on_text(profile.name, piece)

        return listen

    def _invalid_result(
        self, profile: Profile, message: str, totals: RequestTotals, started: float
    ) -> EnrichmentResult:
        return EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.INVALID,
            output=None,
            coverage=0.0,
            failure=Failure(reason=Reason.ENRICHMENT_INVALID, message=message, attempt=self.request.attempt),
            usage=token_usage(totals.usage),
            seconds=self.clock.monotonic() - started,
        )
