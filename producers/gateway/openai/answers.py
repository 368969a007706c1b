"""The bodies of OpenAI's answers, and a transcript in each format."""

from typing import Any, Final, Literal

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from producers.gateway.interactive.job_request import JobAnswer
from producers.gateway.openai.speech_request import Granularity, SpeechRequest
from schemas.options import ExportFormat, Task
from schemas.transcripts.exports import EXPORTERS, brief, plain, verbose
from schemas.transcripts.languages import LANGUAGE_NAMES
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript


class DurationUsage(BaseModel):
    """What a request used, by the length of its audio."""

    type: Literal["duration"] = Field(default="duration", description="Always duration.")
    seconds: int = Field(description="Length of the audio, rounded up to whole seconds.")


class Transcription(BaseModel):
    """The answer with ``response_format=json``."""

    text: str = Field(description="All that is said.")
    usage: DurationUsage = Field(description="The length of the audio.")


class TranscriptionWord(BaseModel):
    """A word and its times in seconds."""

    word: str = Field(description="The word.")
    start: float = Field(description="Its start in seconds.")
    end: float = Field(description="Its end in seconds.")


class TranscriptionSegment(BaseModel):
    """A span of speech. Times are seconds from the start of the audio."""

    id: int = Field(description="Counts from 0.")
    seek: int = Field(description="The start, in frames of 10 ms.")
    start: float = Field(description="Its start in seconds.")
    end: float = Field(description="Its end in seconds.")
    text: str = Field(description="What is said.")
    tokens: list[int] = Field(description="Always empty: token ids are not stored.")
    temperature: float = Field(description="Always 0: nothing is sampled.")
    avg_logprob: float = Field(description="Mean log probability of the tokens; 0 if it is not known.")
    compression_ratio: float = Field(description="Of the text; high where it repeats itself; 0 if not known.")
    no_speech_prob: float = Field(description="Probability of no speech, 0 to 1.")


class VerboseTranscription(Transcription):
    """The answer with ``response_format=verbose_json``."""

    task: Task = Field(description="What was done.")
    language: str = Field(description="The language's English name in lower case; empty without speech.")
    duration: float = Field(description="Length of the audio in seconds.")
    segments: list[TranscriptionSegment] | None = Field(
        default=None, description="Absent with timestamp_granularities[]=word alone."
    )
    words: list[TranscriptionWord] | None = Field(default=None, description="With timestamp_granularities[]=word.")


SEGMENT_NUMBERS: Final = ("avg_logprob", "compression_ratio", "no_speech_prob")
"""Numbers of a segment that OpenAI's answer always has; a transcript may lack them."""


def transcription_response(answer: JobAnswer, wanted: SpeechRequest, subtitles: SubtitleSettings) -> Response:
    """Return the transcript in the format that the request wants."""
    if wanted.response_format is ExportFormat.JSON:
        seconds = answer.transcript.audio_duration_seconds
        return JSONResponse(brief(answer.text, audio_duration_seconds=seconds))
    exporter = EXPORTERS[wanted.response_format]
    if wanted.response_format is ExportFormat.TEXT:
        return Response(plain(answer.text), media_type=exporter.content_type)
    if answer.body is None:
        raise TypeError("the request needs the transcript's body, and its answer has none")
    if wanted.response_format is ExportFormat.VERBOSE_JSON:
        return JSONResponse(_verbose(answer.body, wanted.granularities))
    return Response(exporter.render(answer.body, subtitles), media_type=exporter.content_type)


def _verbose(transcript: Transcript, granularities: frozenset[Granularity]) -> dict[str, Any]:
    body = verbose(transcript)
    body["language"] = _language_name(transcript)
    for segment in body["segments"]:
        segment |= {name: segment[name] or 0.0 for name in SEGMENT_NUMBERS}
    if Granularity.SEGMENT not in granularities:
        del body["segments"]
    if Granularity.WORD not in granularities:
        body.pop("words", None)  # timed for another reason: by an option of the API key
    return body


def _language_name(transcript: Transcript) -> str:
    """Return the name of the text's language, as OpenAI writes it: a translation is always English."""
    code = "en" if transcript.task is Task.TRANSLATE else transcript.language
    return LANGUAGE_NAMES[code].lower() if code else ""
