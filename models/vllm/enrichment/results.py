"""Parts of enrichment results: citations, token usage, and results without a model."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from models.vllm.answers.citations import citations
from models.vllm.answers.languages import code_of, language_of_script, names_a_language
from models.vllm.enrichment.planner import Point
from models.vllm.enrichment.profiles import INSTRUCTION, Profile
from models.vllm.enrichment.request import EnrichRequest
from models.vllm.servers.completion import TokenCounts
from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.transcripts.transcript import TokenUsage


def skipped_results(profiles: Sequence[Profile]) -> tuple[EnrichmentResult, ...]:
    """Return the results for a transcript without words: a model that was sent it would invent some."""
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


def cited_segments(output: Any, notes: Iterable[Point]) -> tuple[int, ...]:
    """Return the segments that an output cites, in order. Free text cites those of the notes it was made from."""
    if isinstance(output, str):
        found = {number for point in notes for number in point.segment_ids}
    else:
        found = set(citations(output))
    return tuple(sorted(found))


def expected_languages(profile: Profile, request: EnrichRequest) -> tuple[str, ...]:
    """Return the codes of the languages in which an answer may be; empty: any.

    A free instruction may be answered in its own language too, and in any if it names one.
    """
    requested = code_of(request.answer_language or request.transcript_language)
    if request.answer_language or profile.name != INSTRUCTION:
        return (requested,) if requested else ()
    if requested is None or names_a_language(profile.task):
        return ()
    return tuple({requested, language_of_script(profile.task)})


def token_usage(counts: TokenCounts) -> TokenUsage:
    """Return token counts as events carry them."""
    return TokenUsage(**asdict(counts))


def sum_of(usages: Iterable[TokenUsage]) -> TokenUsage:
    """Add usages field by field."""
    total = TokenCounts()
    for usage in usages:
        total += TokenCounts(**usage.model_dump())
    return token_usage(total)
