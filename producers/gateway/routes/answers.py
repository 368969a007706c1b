"""The answers of ``POST /transcribe`` and ``POST /transcribe-and-process``."""

from typing import Any, Final, Literal

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from producers.gateway.documentation.examples import PROCESSED, TRANSCRIBED
from producers.gateway.forms.presentation import Part
from producers.gateway.interactive.answers import JobFailed
from producers.gateway.interactive.job_request import JobAnswer
from schemas.events import EnrichmentEvent
from schemas.options import ExportFormat
from schemas.transcripts.doubts import Doubt
from schemas.transcripts.exports import EXPORTERS, brief, plain
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import QualityFlag, Segment, Word

INSTRUCTION: Final = "instruction"


class SegmentWord(Word):
    """A word, with the id of its segment, which has its channel and language."""

    segment: int = Field(description="The id of its segment.")


class TranscribeAnswer(BaseModel):
    """The text of a file."""

    model_config = ConfigDict(json_schema_extra={"examples": [TRANSCRIBED]})

    success: Literal[True] = Field(default=True, description="Always true.")
    text: str = Field(description="All that is said.")
    language: str | None = Field(description="The code of the language; null without speech.")
    job_id: str = Field(description="The job, for `/v1/jobs`.")
    flags: list[QualityFlag] = Field(description="Reasons to review the text.")
    segments: list[Segment] | None = Field(
        default=None, description="With include=segments: spans of speech, each with flags of its own; no words."
    )
    words: list[SegmentWord] | None = Field(default=None, description="With include=words: all words in order.")
    exports: dict[ExportFormat, str] | None = Field(
        default=None, description="With include=exports: where each file of the option exports is in the bucket."
    )


class ProfileDetails(BaseModel):
    """How the result of one profile was made."""

    truncated: bool = Field(description="Whether words may be missing.")
    coverage: float = Field(description="Share of the transcript that the model read.")
    finish_reasons: list[str] = Field(description="Why the model ended each of its answers, such as stop.")
    doubts: list[Doubt] = Field(description="Statements that the transcript does not bear out.")


class ProfileFailure(BaseModel):
    """Why a profile has no result."""

    reason: str = Field(description="One word of docs/reasons.md.")
    message: str = Field(description="What went wrong.")


class ProcessAnswer(TranscribeAnswer):
    """The text of a file, and what a language model made of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [PROCESSED]})

    processed_text: Any = Field(description="The answer to the instruction; null without one.")
    profiles: dict[str, Any] = Field(description="The result of each profile; null where it failed.")
    truncated: bool = Field(description="That of the worst result.")
    coverage: float | None = Field(description="That of the worst result.")
    details: dict[str, ProfileDetails] = Field(description="How each result was made.")
    failures: dict[str, ProfileFailure] = Field(description="Why profiles have no result.")


def transcribed(answer: JobAnswer, include: frozenset[Part]) -> dict[str, Any]:
    """Return the fields of a transcript: always the same five, then the parts that ``include`` names."""
    event = answer.transcript
    fields: dict[str, Any] = {
        "text": answer.text,
        "language": event.language,
        "job_id": event.job_id,
        "flags": [flag.value for flag in event.flags],
    }
    segments = answer.body.segments if answer.body else ()
    if Part.SEGMENTS in include:
        fields["segments"] = [segment.model_dump(mode="json", exclude={"words"}) for segment in segments]
    if Part.WORDS in include:
        fields["words"] = [
            {**word.model_dump(), "segment": segment.id} for segment in segments for word in segment.words or ()
        ]
    if Part.EXPORTS in include:
        fields["exports"] = dict(event.exports)
    return fields


def rendered(answer: JobAnswer, response_format: ExportFormat, subtitles: SubtitleSettings) -> Response:
    """Return the transcript as a file of one format."""
    exporter = EXPORTERS[response_format]
    if response_format is ExportFormat.TEXT:
        return Response(plain(answer.text), media_type=exporter.content_type)
    if answer.body is None:
        seconds = answer.transcript.audio_duration_seconds
        return JSONResponse(brief(answer.text, audio_duration_seconds=seconds))
    return Response(exporter.render(answer.body, subtitles), media_type=exporter.content_type)


def processed(enrichment: EnrichmentEvent | None) -> dict[str, Any]:
    """Return the enrichment's fields; ``failures`` has the reason of each profile without a result.

    ``truncated`` and ``coverage`` are those of the worst result; each has its own in ``details``. Raises JobFailed
    when the instruction has no answer.
    """
    results = enrichment.results if enrichment else ()
    failures = {result.profile: result.failure for result in results if result.failure}
    if INSTRUCTION in failures:
        raise JobFailed(failures[INSTRUCTION])
    outputs = {result.profile: result.output for result in results}
    return {
        "processed_text": outputs.pop(INSTRUCTION, None),
        "profiles": outputs,
        "truncated": any(result.truncated for result in results),
        "coverage": min((result.coverage for result in results), default=None),
        "details": {
            result.profile: {
                "truncated": result.truncated,
                "coverage": result.coverage,
                "finish_reasons": list(result.finish_reasons),
                "doubts": [doubt.model_dump(mode="json", exclude_none=True) for doubt in result.doubts],
            }
            for result in results
        },
        "failures": {
            profile: {"reason": failure.reason.value, "message": failure.message}
            for profile, failure in failures.items()
        },
    }
