"""Options of a job."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from schemas.transcripts.languages import LANGUAGES, nearest_language

ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


AUTO: Final = "auto"
LANGUAGE_PATTERN: Final = f"^({'|'.join((AUTO, *LANGUAGES))})?$"


def language_code(written: str) -> str:
    """Normalise a language code from forms, metadata and commands to the code in events: case is ignored."""
    return written.strip().lower()


def _whole(value: object) -> object:
    # 5.0 is an integer in JSON Schema, and some JSON encoders write it for 5.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class Task(StrEnum):
    """Whisper's two tasks; transcribe is the default. Translation is always into English."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Channels(StrEnum):
    """Treatment of multichannel audio: mixed to one (the default), or each channel transcribed separately."""

    MIX = "mix"
    SPLIT = "split"


class ExportFormat(StrEnum):
    """Formats of transcripts."""

    JSON = "json"
    VERBOSE_JSON = "verbose_json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    TSV = "tsv"


class Lane(StrEnum):
    """Priority of a job: interactive (a person waits for the result) or bulk (the default)."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Options(BaseModel):
    """Base of the option sets: frozen. Unknown names are ignored here: readers refuse them in requests, but accept
    them in stored sets, which may be of a later version."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TranscribeOptions(Options):
    """How one audio object is transcribed. Two equal sets give the same transcript."""

    language: str | None = Field(
        default=None,
        description="Whisper language code, such as ko; None, empty and auto detect it.",
        examples=["ko", "en"],
        json_schema_extra={"pattern": LANGUAGE_PATTERN},
    )
    task: Task = Task.TRANSCRIBE
    word_timestamps: bool = Field(default=False, description="Add the time and probability of each word.")
    channels: Channels = Channels.MIX
    initial_prompt: str | None = Field(default=None, max_length=1_000)
    hotwords: str | None = Field(default=None, max_length=1_000)
    beam_size: Whole = Field(default=5, ge=1, le=10)
    audio_track: Annotated[int, Field(ge=0, le=1_000), BeforeValidator(_whole)] | None = Field(
        default=None,
        description="The audio track to transcribe, counted from 0; None takes the main one, or another when that "
        "has no speech.",
    )
    vad: bool = Field(default=True, description="Remove audio without speech before inference.")
    model: str | None = Field(
        default=None, description="A model that this deployment serves; None takes its default."
    )
    exports: tuple[ExportFormat, ...] = Field(
        default=(), description="Files to write beside the transcript, in these formats."
    )

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str | None) -> str | None:
        if value in (None, "", AUTO):
            return None
        if value not in LANGUAGES:
            nearest = nearest_language(value)
            hint = f"did you mean {nearest}?" if nearest else "use one such as ko, en or zh"
            raise ValueError(f"{value[:40]!r} is not a Whisper language code: {hint}")
        return value

    def for_digest(self) -> Self:
        """Return the options without those that do not change the words: the exports."""
        return self.model_copy(update={"exports": ()})


class EnrichOptions(Options):
    """Enrichments of the transcript. Empty requests none."""

    profiles: tuple[ProfileName, ...] = Field(default=(), max_length=16)
    instruction: str | None = Field(default=None, max_length=4_000)
    language: str | None = Field(
        default=None, description="Language of the answer; None takes the transcript's.", max_length=64
    )

    @property
    def has_work(self) -> bool:
        """Whether the options request any enrichment."""
        return bool(self.profiles or self.instruction)
