"""Transcripts with words, and both vendors' shapes of them as their readers see them."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import jsonschema
from deepgram.core.unchecked_base_model import construct_type
from deepgram.types import ListenV1Response

from schemas.events import TranscriptEvent
from schemas.options import Channels, TranscribeOptions
from schemas.transcripts.transcript import (
    AudioFacts,
    LanguageGuess,
    Segment,
    SourceObject,
    StageTiming,
    Transcript,
    TranscriptStatus,
    Usage,
    Word,
)
from schemas.transcripts.vendors.aws import aws_result
from schemas.transcripts.vendors.deepgram import deepgram_response
from tests.sound.provenance import PROVENANCE
from tests.unit.schemas.transcripts.aws_file import AWS_FILE

JOB: Final = "5f2b8c3d9a7e4f10b6c1d2e3f4a5b6c7"
USAGE: Final = Usage(audio_seconds=10, inference_seconds=0, windows=1, decoded_tokens=1)


def word(text: str, start: float, end: float, probability: float = 0.9) -> Word:
    """One word as the model gives it, with its space and its punctuation."""
    return Word(word=text, start=start, end=end, probability=probability)


def segment(number: int, *words: Word, channel: int | None = None, language: str | None = None) -> Segment:
    """Return a segment of these words."""
    return Segment(
        id=number,
        start=words[0].start,
        end=words[-1].end,
        text="".join(each.word for each in words),
        words=words,
        channel=channel,
        language=language,
    )


HELLO: Final = segment(0, word(" Hello,", 0.5, 0.75), word(" Kim's", 0.75, 1.0), word(" ¿here?!", 1.0, 1.25, 0.5))
LATER: Final = segment(1, word(" 50%", 4.0, 4.5), word(" …", 4.5, 4.5))


def transcript(*segments: Segment, **changed: Any) -> Transcript:
    """Return a transcript of some segments."""
    made: dict[str, Any] = {
        "status": TranscriptStatus.COMPLETED,
        "language": "en",
        "language_probability": 0.98,
        "all_language_probs": (LanguageGuess(language="en", probability=0.98),),
        "text": "".join(one.text for one in segments).strip(),
        "segments": segments,
        "options": TranscribeOptions(word_timestamps=True),
        "audio": AudioFacts(
            audio_duration_seconds=10.0, speech_duration_seconds=2.0, channel_count=2, sample_rate_hertz=8_000
        ),
        "provenance": PROVENANCE,
        "timing": StageTiming(),
        "usage": USAGE,
    }
    return Transcript(**{**made, **changed})


def event_of(made: Transcript) -> TranscriptEvent:
    """Return the event of a job with this transcript."""
    return TranscriptEvent(
        event_id=f"{JOB}.transcript",
        occurred_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        job_id=JOB,
        idempotency_key="k",
        tenant="team",
        status=made.status,
        source=SourceObject(uri="s3://audio/a.wav", sha256="ab", object_size_bytes=1),
        audio_duration_seconds=made.audio.audio_duration_seconds,
        speech_duration_seconds=1.0,
        segment_count=len(made.segments),
        transcript_uri="s3://audio/t.json",
        provenance=made.provenance,
        timing=StageTiming(),
        usage=USAGE,
    )


def aws(made: Transcript) -> dict[str, Any]:
    """Return AWS's shape, as it is served; it has the shape that is documented."""
    shaped: dict[str, Any] = json.loads(json.dumps(aws_result(made, event_of(made))))
    jsonschema.validate(shaped, AWS_FILE)
    return shaped


def deepgram(made: Transcript) -> ListenV1Response:
    """Return Deepgram's shape, as its SDK reads it and as its model validates it."""
    served = json.dumps(deepgram_response(made, event_of(made)))
    parsed: ListenV1Response = construct_type(type_=ListenV1Response, object_=json.loads(served))
    assert ListenV1Response.model_validate_json(served) == parsed
    return parsed


def split() -> Transcript:
    """Return a transcript of two channels, one of which ends silent."""
    return transcript(
        segment(0, word(" yes", 0.0, 1.0), channel=1),
        segment(1, word(" no", 0.5, 1.5), channel=0),
        segment(2, word(" well.", 2.0, 3.0), channel=1),
        options=TranscribeOptions(word_timestamps=True, channels=Channels.SPLIT),
    )
