"""The results of profiles that rewrite every segment."""

from collections.abc import Sequence
from typing import Any, Final

from models.vllm.enrichment.asker import RequestTotals
from models.vllm.enrichment.profiles import Profile, RewriteKind
from models.vllm.enrichment.request import EnrichRequest, Rewrite
from models.vllm.enrichment.results import token_usage
from models.vllm.enrichment.rewriting.redaction import redact
from models.vllm.enrichment.rewriting.rewriter import Rewriter
from schemas.errors import Reason
from schemas.events import EnrichmentResult, EnrichmentStatus, Failure
from schemas.transcripts.joining import join_texts
from schemas.transcripts.languages import LANGUAGE_NAMES, nearest_language
from schemas.transcripts.transcript import Segment

ENGLISH: Final = "en"


async def run_rewrite(
    profile: Profile, request: EnrichRequest, rewriter: Rewriter
) -> tuple[EnrichmentResult, Rewrite | None]:
    """Rewrite the transcript as the profile says. The result has the text; the rewrite has the segments.

    Raises the server's job errors, and EnrichmentInvalid when the context has no room for any line.
    """
    if profile.rewrite is RewriteKind.REDACTION:
        return await _redact(profile, request, rewriter)
    return await _translate(profile, request, rewriter)


async def _redact(
    profile: Profile, request: EnrichRequest, rewriter: Rewriter
) -> tuple[EnrichmentResult, Rewrite | None]:
    totals = RequestTotals()
    found = await rewriter.find_mentions(request.segments, profile.task, totals)
    redacted = redact(request.segments, found.mentions)
    counts = {kind.value: count for kind, count in sorted(redacted.counts.items())}
    output = {"text": _text(redacted.segments), "redactions": counts}
    result = _completed(profile, output, totals, coverage=len(found.read) / len(request.segment_ids))
    return result, Rewrite(profile.name, redacted.segments)


async def _translate(
    profile: Profile, request: EnrichRequest, rewriter: Rewriter
) -> tuple[EnrichmentResult, Rewrite | None]:
    wanted = request.answer_language or ENGLISH
    code = nearest_language(wanted)
    if code is not None and code == request.transcript_language:
        return _ended(profile, EnrichmentStatus.SKIPPED), None
    totals = RequestTotals()
    language = LANGUAGE_NAMES.get(code or "", wanted)
    texts = await rewriter.translate(request.segments, profile.task, f"Write in {language}.", totals)
    spoken = [segment for segment in request.segments if segment.text.strip()]
    if not texts:
        failure = Failure(
            reason=Reason.ENRICHMENT_INVALID,
            message=f"no line of the transcript was translated into {language}",
            attempt=request.attempt,
        )
        invalid = _ended(profile, EnrichmentStatus.INVALID)
        return invalid.model_copy(update={"failure": failure, "usage": token_usage(totals.usage)}), None
    segments = tuple(_translated(segment, texts.get(segment.id), code) for segment in request.segments)
    output = {"text": _text(segments), "language": code or wanted}
    result = _completed(profile, output, totals, coverage=len(texts) / len(spoken))
    return result, Rewrite(profile.name, segments, language=code)


def _translated(segment: Segment, text: str | None, code: str | None) -> Segment:
    # Word times are those of the spoken words; a translation has other words in another order.
    if text is None:
        return segment
    return segment.model_copy(update={"text": f" {text.strip()}", "language": code, "words": None})


def _completed(
    profile: Profile, output: dict[str, Any], totals: RequestTotals, *, coverage: float
) -> EnrichmentResult:
    return EnrichmentResult(
        profile=profile.name,
        profile_version=profile.version,
        status=EnrichmentStatus.COMPLETED,
        output=output,
        coverage=coverage,
        finish_reasons=tuple(sorted(set(totals.finish_reasons))),
        truncated=totals.is_truncated,
        usage=token_usage(totals.usage),
    )


def _ended(profile: Profile, status: EnrichmentStatus) -> EnrichmentResult:
    coverage = 1.0 if status is EnrichmentStatus.SKIPPED else 0.0
    return EnrichmentResult(
        profile=profile.name, profile_version=profile.version, status=status, output=None, coverage=coverage
    )


def _text(segments: Sequence[Segment]) -> str:
    return join_texts(segment.text for segment in segments)
