"""One transcript's enrichment: the first profile alone, the others once the server has its prefix in the cache."""

import asyncio
from collections.abc import Hashable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from models.vllm.answers.citations import can_cite
from models.vllm.answers.cleaning import as_material
from models.vllm.answers.reading import InvalidAnswer
from models.vllm.doubts.material import Material
from models.vllm.enrichment.asker import Asker, Checks, Question, RequestTotals
from models.vllm.enrichment.attempts import Answer
from models.vllm.enrichment.condenser import Condenser, Notes
from models.vllm.enrichment.doubting import examine
from models.vllm.enrichment.kept_results import KeptResults
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.prompts import language_sentence, task_text
from models.vllm.enrichment.request import Enrichment, EnrichRequest, OnProfileText, Rewrite
from models.vllm.enrichment.results import cited_segments, expected_languages, sum_of, token_usage
from models.vllm.enrichment.rewriting.profiles import run_rewrite
from models.vllm.enrichment.rewriting.rewriter import Rewriter
from models.vllm.enrichment.token_estimate import TokenEstimate
from models.vllm.servers.completion import OnText
from models.vllm.servers.problems import ContextExceeded
from models.vllm.tasks import gather_or_cancel
from schemas.clock import Clock
from schemas.errors import DependencyDown, EnrichmentFailed, EnrichmentInvalid, JobError, Reason
from schemas.events import EnrichmentResult, EnrichmentStatus, Failure
from schemas.monitoring.tracing import span
from schemas.transcripts.doubts import DoubtRule

CALIBRATED_CHARACTERS: Final = 8_000
"""A transcript at least this long is calibrated alone; shorter ones share the estimate of their language."""
NOTES_SHARES: Final = (1.0, 0.5, 0.25)
"""Shares of the room for notes, tried in order: sizes are estimates, so the server may refuse the notes."""


@dataclass(slots=True)
class Run:
    """The enrichment of one transcript. Used once, on one event loop. ``estimates`` are shared by all runs.

    ``concurrency`` limits the requests of one profile that rewrites the transcript.
    """

    request: EnrichRequest
    asker: Asker
    condenser: Condenser
    _: KW_ONLY
    on_text: OnProfileText | None
    estimates: dict[str | None, TokenEstimate]
    clock: Clock
    kept: KeptResults
    drop_doubts: tuple[DoubtRule, ...] = ()
    concurrency: int = 1
    _failures: list[EnrichmentFailed | DependencyDown] = field(default_factory=list)
    _lines: tuple[str, ...] = ()
    _material: Material = field(default_factory=lambda: Material.of(()))
    _rewrites: list[Rewrite] = field(default_factory=list)

    async def enrich(self) -> Enrichment:
        """Return the results in the order of the profiles.

        A profile that the server fails has its failure as the result beside those that are finished, unless the
        caller repeats the request: then the error is raised, and the finished results are kept for that. Raises
        EnrichmentInvalid when no answer was valid, EnrichmentFailed and DependencyDown also when no profile ended.
        """
        started = self.clock.monotonic()
        with span("plan", attributes={"kascribe.segments": len(self.request.segments)}):
            await self._prepare()
        prefix_cached = asyncio.Event()
        first, *others = self.request.profiles
        results = await gather_or_cancel(
            [self._run_first(first, prefix_cached), *(self._run_after(other, prefix_cached) for other in others)]
        )
        self.kept.discard(map(self._key, self.request.profiles))
        if all(result.status is EnrichmentStatus.INVALID for result in results):
            if self._failures:
                raise self._failures[0]
            raise EnrichmentInvalid("; ".join(f"{r.profile}: {r.failure.message}" for r in results if r.failure))
        usage = sum_of([token_usage(self.condenser.totals.usage), *(result.usage for result in results)])
        seconds = self.clock.monotonic() - started
        return Enrichment(self.asker.model.name, tuple(results), usage, seconds, tuple(self._rewrites))

    async def _prepare(self) -> None:
        """Read the transcript, build the lines, choose the estimate: calibrated, or its language's."""
        self._material = await asyncio.to_thread(Material.of, self.request.segments)
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
        """Return a profile's result, kept or new. Raises a server's error only if the caller tries again."""
        if (kept := self.kept.find(self._key(profile))) is not None:
            return kept
        started = self.clock.monotonic()
        try:
            with span("profile", attributes={"kascribe.profile": profile.name}) as answering:
                result = await self._complete_profile(profile, prefix_cached)
                answering.set({"kascribe.status": result.status.value, "kascribe.coverage": result.coverage})
        except (EnrichmentFailed, DependencyDown) as failed:
            self._failures.append(failed)
            if self.request.is_retried(failed):
                raise
            return self._invalid_result(profile, failed, RequestTotals(), started)
        if profile.rewrite is None:
            self.kept.keep(self._key(profile), result)
        return result

    def _key(self, profile: Profile) -> Hashable:
        request = self.request
        asked = (profile.name, profile.version, profile.task, request.answer_language)
        return (request.job_id, hash(self._lines), *asked)

    async def _complete_profile(self, profile: Profile, prefix_cached: asyncio.Event | None) -> EnrichmentResult:
        started, totals = self.clock.monotonic(), RequestTotals()
        try:
            if profile.rewrite is not None:
                result = await self._run_rewrite(profile)
                return result.model_copy(update={"seconds": self.clock.monotonic() - started})
            answer, notes = await self._answer(profile, totals, self._listener(profile, prefix_cached))
        except (InvalidAnswer, EnrichmentInvalid) as invalid:
            return self._invalid_result(profile, invalid, totals, started)
        with span("validate"):
            output, doubts = examine(answer.value, profile, self.request, self._material, drop=self.drop_doubts)
        segment_ids = self.request.segment_ids
        seen = notes.seen if notes else segment_ids
        cited = cited_segments(output, notes.points if notes else ())
        finish_reasons = [*totals.finish_reasons, *(self.condenser.totals.finish_reasons if notes else ())]
        return EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.COMPLETED,
            output=output,
            citations=cited,
            coverage=len(seen) / len(segment_ids),
            cited=len(cited) / len(segment_ids) if notes or can_cite(profile.schema) else None,
            flags=answer.flags,
            truncated=totals.is_truncated or (notes is not None and self._is_shortened(notes)),
            finish_reasons=tuple(sorted(set(finish_reasons))),
            doubts=doubts,
            usage=token_usage(totals.usage),
            seconds=self.clock.monotonic() - started,
        )

    def _is_shortened(self, notes: Notes) -> bool:
        return notes.shortened or self.condenser.totals.is_truncated

    async def _run_rewrite(self, profile: Profile) -> EnrichmentResult:
        rewriter = Rewriter(
            self.asker,
            concurrency=self.concurrency,
            completion_tokens=profile.max_completion_tokens,
            temperature=profile.temperature,
        )
        result, rewrite = await run_rewrite(profile, self.request, rewriter)
        if rewrite is not None:
            self._rewrites.append(rewrite)
        return result

    async def _answer(
        self, profile: Profile, totals: RequestTotals, on_text: OnText | None
    ) -> tuple[Answer, Notes | None]:
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
            checks=Checks(expected_languages(profile, request), profile.may_be_empty),
        )
        if await self.asker.fits(question):
            try:
                return await self.asker.ask(question, totals, on_text), None
            except ContextExceeded:
                pass  # the server's limit differs from its own count: answer from notes
        return await self._answer_from_notes(question, language, totals, on_text)

    async def _answer_from_notes(
        self, question: Question, language: str, totals: RequestTotals, on_text: OnText | None
    ) -> tuple[Answer, Notes]:
        about_notes = self._about_notes(question)
        # A task that is too long is refused before any work.
        await self.asker.tokens_for_lines(about_notes.task, about_notes.completion_tokens)
        with span("take notes"):
            await self.condenser.take_notes(self.request.segments, language)
        for share in NOTES_SHARES:
            about_notes = self._about_notes(question)  # again: the context may have turned out smaller
            notes = await self.condenser.merge(about_notes.task, about_notes.completion_tokens, share=share)
            about_notes = replace(about_notes, lines=tuple(point.line for point in notes.points))
            if not self.asker.estimate.is_a_bound and not await self.asker.fits(about_notes):
                continue
            try:
                return await self.asker.ask(about_notes, totals, on_text), notes
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
        self, profile: Profile, invalid: Exception, totals: RequestTotals, started: float
    ) -> EnrichmentResult:
        reason = invalid.reason if isinstance(invalid, JobError) else Reason.ENRICHMENT_INVALID
        return EnrichmentResult(
            profile=profile.name,
            profile_version=profile.version,
            status=EnrichmentStatus.INVALID,
            output=None,
            coverage=0.0,
            flags=invalid.flags if isinstance(invalid, InvalidAnswer) else (),
            failure=Failure(reason=reason, message=str(invalid), attempt=self.request.attempt),
            usage=token_usage(totals.usage),
            seconds=self.clock.monotonic() - started,
        )
