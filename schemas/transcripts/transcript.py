"""The transcript: what the engine heard, where and how surely.

Field names follow faster-whisper and OpenAI's ``verbose_json``. Times are seconds from the start of the
original audio, whatever was left out before inference.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from schemas.options import Task, TranscribeOptions

TRANSCRIPT_SCHEMA_VERSION = "1.0"


class Contract(BaseModel):
    """Parent of all that travels: frozen; unknown fields of a later minor version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TranscriptStatus(StrEnum):
    """How a transcription ended, when it ended well."""

    COMPLETED = "completed"
    NO_SPEECH = "no_speech"


class QualityFlag(StrEnum):
    """Why a reader may want to look twice."""

    LOW_CONFIDENCE = "low_confidence"
    REPETITION = "repetition"
    TRUNCATED_AT_TOKEN_LIMIT = "truncated_at_token_limit"
    SUPPRESSED_NO_SPEECH = "suppressed_no_speech"
    RETRIED = "retried"
    DOWNMIX_REPLACED = "downmix_replaced"
    """The channels cancel each other, or a mix leaves out the only one with sound: the loudest stood for all."""
    AUDIO_INCOMPLETE = "audio_incomplete"


class Word(Contract):
    """One word. ``probability`` is the mean probability of its tokens, 0 to 1."""

    word: str
    start: float
    end: float
    probability: float


class Segment(Contract):
    """A stretch of speech. ``channel`` counts from 0 and is None for mixed audio."""

    id: int
    start: float
    end: float
    text: str
    channel: int | None = None
    language: str | None = None
    temperature: float = 0.0
    avg_logprob: float | None = None
    compression_ratio: float | None = None
    no_speech_prob: float | None = None
    flags: tuple[QualityFlag, ...] = ()
    words: tuple[Word, ...] | None = None


class LanguageGuess(Contract):
    """A language and how probable it is, 0 to 1."""

    language: str
    probability: float


class AudioTrack(Contract):
    """A sound track of the file, as the file describes it; ``codec`` is None where it is not known to us."""

    index: int = Field(ge=0, description="Counts sound tracks from 0, as the option audio_track does.")
    codec: str | None = None
    channel_count: int
    sample_rate_hertz: int
    language: str | None = None
    title: str | None = None


class AudioFacts(Contract):
    """What the decoder found.

    With the flag ``audio_incomplete``, sound was lost: compare ``declared_duration_seconds`` with
    ``decoded_duration_seconds``, and see ``broken_packets``.
    """

    audio_duration_seconds: float = Field(
        description="Length of the recording, with silence where its clock says that nothing was recorded."
    )
    speech_duration_seconds: float
    channel_count: int
    sample_rate_hertz: int
    container: str | None = None
    codec: str | None = None
    declared_duration_seconds: float | None = Field(
        default=None, description="As the file's header has it; None where it has none, or an estimate."
    )
    decoded_duration_seconds: float | None = Field(
        default=None, description="Sound that was decoded, without silence put in its place where it was not."
    )
    broken_packets: int = Field(default=0, description="Pieces of the file that could not be decoded.")
    audio_track: int = Field(default=0, description="The track that was transcribed: an index into tracks.")
    tracks: tuple[AudioTrack, ...] = ()


class Provenance(Contract):
    """What exactly made this transcript; equal provenance and audio give an equal transcript."""

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
    """What a job cost."""

    audio_seconds: float
    inference_seconds: float
    windows: int
    decoded_tokens: int


class Transcript(Contract):
    """The whole body. Events carry a small part of it and the address of the rest."""

    schema_version: str = TRANSCRIPT_SCHEMA_VERSION
    status: TranscriptStatus
    task: Task = Task.TRANSCRIBE
    language: str | None = Field(
        default=None, description="As asked for, or as found at the beginning of the speech; None without speech."
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
