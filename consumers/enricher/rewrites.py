"""Transcripts that a profile rewrote, stored beside the enrichment with the exports of the original."""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial

from consumers.enricher.ports import Enrichment, EnrichmentStore, Rewrite
from schemas.events import EnrichmentResult, TranscriptEvent
from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.joining import join_texts
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript


def store_rewrites(
    store: EnrichmentStore,
    source: TranscriptEvent,
    digest: str,
    transcript: Transcript,
    enrichment: Enrichment,
    *,
    subtitles: SubtitleSettings,
) -> tuple[EnrichmentResult, ...]:
    """Store each rewritten transcript and its exports; return the results with their addresses.

    Blocks; safe to repeat: the key of an object holds the digest of its content. Raises DependencyDown.
    """
    rewrites = {rewrite.profile: rewrite for rewrite in enrichment.rewrites}

    def stored(result: EnrichmentResult) -> EnrichmentResult:
        rewrite = rewrites.get(result.profile)
        if rewrite is None or not isinstance(result.output, dict):
            return result
        put = partial(_put, store, source.job_id, digest, rewrite.profile)
        addresses = _store(put, rewritten(transcript, rewrite), source.exports, subtitles)
        return result.model_copy(update={"output": {**result.output, **addresses}})

    return tuple(stored(result) for result in enrichment.results)


def rewritten(transcript: Transcript, rewrite: Rewrite) -> Transcript:
    """Return the transcript with the rewritten segments; its text is that of the segments."""
    return transcript.model_copy(
        update={
            "segments": rewrite.segments,
            "text": join_texts(segment.text for segment in rewrite.segments),
            "language": rewrite.language or transcript.language,
        }
    )


Put = Callable[[str, bytes, str], str]
"""Stores an object by its extension, content and content type; returns its URI."""


def _store(
    put: Put, transcript: Transcript, formats: Iterable[ExportFormat], subtitles: SubtitleSettings
) -> dict[str, object]:
    exports = {}
    for name in sorted(formats):
        exporter = EXPORTERS[name]
        body = exporter.render(transcript, subtitles).encode()
        exports[name.value] = put(exporter.extension, body, exporter.content_type)
    body = transcript.model_dump_json().encode()
    return {"transcript_uri": put("transcript.json", body, "application/json"), "exports": exports}


def _put(
    store: EnrichmentStore, job_id: str, digest: str, profile: str, extension: str, body: bytes, content_type: str
) -> str:
    name = f"{profile}-{hashlib.sha256(body).hexdigest()[:16]}.{extension}"
    return store.put_rewrite(job_id, digest, name, body, content_type)
