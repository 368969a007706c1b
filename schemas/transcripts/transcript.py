"""The transcript: text, times and confidence.

Field names follow faster-whisper and OpenAI's ``verbose_json``. Times are seconds from the start of the original
audio, including parts that were skipped before inference.
"""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.options import Task, TranscribeOptions

TRANSCRIPT_SCHEMA_VERSION: Final = "1.0"


class Contract(BaseModel):
    """Base of all published and stored models: frozen; unknown fields of a later minor version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TranscriptStatus(StrEnum):
    """Outcome of a successful transcription."""

    COMPLETED = "completed"
    NO_SPEECH = "no_speech"


class QualityFlag(StrEnum):
    """Reason to review a text or segment."""

    LOW_CONFIDENCE = "low_confidence"
    REPETITION = "repetition"
    TRUNCATED_AT_TOKEN_LIMIT = "truncated_at_token_limit"
    SUPPRESSED_NO_SPEECH = "suppressed_no_speech"
    RETRIED = "retried"
    DOWNMIX_REPLACED = "downmix_replaced"
    """The channels cancel each other, or a mix omits the only one with sound: the loudest channel was used."""
    AUDIO_INCOMPLETE = "audio_incomplete"


class Word(Contract):
    """One word. ``probability`` is the mean probability of its tokens, 0 to 1."""

    word: str = Field(description="The word as it stands in the text, with the space before it.")
    start: float = Field(description="Seconds from the start of the audio.")
    end: float = Field(description="Seconds from the start of the audio.")
    probability: float = Field(description="Mean probability of its tokens, 0 to 1.")


class Segment(Contract):
    """A span of speech. ``channel`` counts from 0 and is None for mixed audio."""

    id: int = Field(description="Counts from 0, in order of time.")
    start: float = Field(description="Seconds from the start of the audio.")
    end: float = Field(description="Seconds from the start of the audio.")
    text: str = Field(description="What is said.")
    channel: int | None = Field(default=None, description="Counts from 0; None for mixed audio.")
    language: str | None = Field(
        default=None, description="Language of the text: English where it is translated, whatever was spoken."
    )
    temperature: float = Field(default=0.0, description="Of the sampling; 0: the likeliest text.")
    avg_logprob: float | None = Field(default=None, description="Mean log probability of its tokens.")
    compression_ratio: float | None = Field(
        default=None, description="Of the text by gzip; high where it repeats itself."
    )
    no_speech_prob: float | None = Field(default=None, description="Probability that nobody speaks, 0 to 1.")
    flags: tuple[QualityFlag, ...] = Field(default=(), description="Reasons to review the segment.")
    words: tuple[Word, ...] | None = Field(default=None, description="With word_timestamps: its words in order.")


def segments_or_whole(
    segments: tuple[Segment, ...], *, text: str, audio_duration_seconds: float
) -> tuple[Segment, ...]:
    """Return the segments; one with all the text where there is text without segments."""
    if segments or not text.strip():
        return segments
    return (Segment(id=0, start=0.0, end=audio_duration_seconds, text=text),)


class LanguageGuess(Contract):
    """A language and its probability, 0 to 1."""

    language: str
    probability: float


class AudioTrack(Contract):
    """An audio track as the file describes it; ``codec`` is None for an unknown codec."""

    index: int = Field(ge=0, description="Index of the audio track from 0, as in the option audio_track.")
    codec: str | None = None
    channel_count: int
    sample_rate_hertz: int
    language: str | None = None
    title: str | None = None


class AudioFacts(Contract):
    """Facts about the audio, as the decoder found them.

    With the flag ``audio_incomplete``, audio was lost: compare ``declared_duration_seconds`` with
    ``decoded_duration_seconds``, and see ``broken_packets``.
    """

    audio_duration_seconds: float = Field(
        description="Length of the recording, including silence where its clock shows that nothing was recorded."
    )
    speech_duration_seconds: float
    channel_count: int
    sample_rate_hertz: int
    container: str | None = None
    codec: str | None = None
    declared_duration_seconds: float | None = Field(
        default=None, description="Length in the file's header; None where it has none, or an estimate."
    )
    decoded_duration_seconds: float | None = Field(
        default=None, description="Length of the decoded audio, without silence inserted for missing parts."
    )
    broken_packets: int = Field(default=0, description="Packets of the file that could not be decoded.")
    audio_track: int = Field(default=0, description="The track that was transcribed: an index into tracks.")
    tracks: tuple[AudioTrack, ...] = ()


class Provenance(Contract):
    """Exact origin of a transcript: equal provenance and audio give an equal transcript."""

    engine: str
    engine_version: str
    model: str
    model_sha256: str
    compute_type: str
    device: str
    options_digest: str
    kascribe_version: str


class StageTiming(Contract):
    """Wall-clock seconds per stage; a stage that did not run has None."""

    queue_seconds: float | None = None
    fetch_seconds: float | None = None
    decode_seconds: float | None = None
    vad_seconds: float | None = None
    features_seconds: float | None = None
    inference_seconds: float | None = None
    alignment_seconds: float | None = None
    total_seconds: float | None = None


class Usage(Contract):
    """Resources that a job used."""

    audio_seconds: float
    inference_seconds: float
    windows: int
    decoded_tokens: int


class SourceObject(Contract):
    """The object at the time when it was read."""

    uri: str
    version_id: str | None = None
    etag: str | None = None
    sha256: str
    object_size_bytes: int
    content_type: str | None = None


class TokenUsage(Contract):
    """Tokens and requests as the language model server counts them."""

    prompt_tokens: int = Field(default=0, description="Tokens of the prompts.")
    cached_tokens: int = Field(default=0, description="Tokens of the prompts that the server had computed before.")
    completion_tokens: int = Field(default=0, description="Tokens of the answers.")
    requests: int = Field(default=0, description="Requests to the server.")


class Transcript(Contract):
    """The whole transcript. Events carry a small part of it and the address of the rest."""

    schema_version: str = TRANSCRIPT_SCHEMA_VERSION
    status: TranscriptStatus
    task: Task = Task.TRANSCRIBE
    language: str | None = Field(
        default=None,
        description="As requested, or as detected at the beginning of the speech; with multilingual, the one that "
        "is spoken longest. None without speech.",
    )
    language_probability: float | None = None
    all_language_probs: tuple[LanguageGuess, ...] = Field(default=(), description="The five most probable.")
    text: str
    segments: tuple[Segment, ...] = ()
    flags: tuple[QualityFlag, ...] = ()
    options: TranscribeOptions
    audio: AudioFacts
    provenance: Provenance
    timing: StageTiming
    usage: Usage
