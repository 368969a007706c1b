"""The option sets of a job: how it is transcribed and how enriched."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from schemas.options.types import (
    DEFAULT_SUPPRESSED,
    WHOLE,
    Exponent,
    Factor,
    LogProbability,
    Options,
    Probability,
    Threshold,
    TokenIds,
    Vad,
    VadParameters,
    Whole,
    Zero,
)
from schemas.transcripts.languages import LANGUAGES, nearest_language

ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


AUTO: Final = "auto"
LANGUAGE_PATTERN: Final = f"^({'|'.join((AUTO, *LANGUAGES))})?$"
CODE_PATTERN: Final = f"^({'|'.join(LANGUAGES)})$"


def language_code(written: str) -> str:
    """Normalise a language code from forms, metadata and commands to the code in events: case is ignored."""
    return written.strip().lower()


def language_codes(written: Iterable[str]) -> tuple[str, ...]:
    """Normalise a list of language codes likewise; empty ones are left out."""
    return tuple(filter(None, map(language_code, written)))


def _known_code(written: str) -> str:
    """Return the code itself. Raises ValueError, with a hint, for any other text."""
    if written in LANGUAGES:
        return written
    nearest = nearest_language(written)
    hint = f"did you mean {nearest}?" if nearest else "use one such as ko, en or zh"
    raise ValueError(f"{written[:40]!r} is not a Whisper language code: {hint}")


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


DECODING_DEFAULTS: Final[Mapping[str, object]] = {
    "vad_parameters": VadParameters(),
    "patience": 1.0,
    "length_penalty": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "suppress_tokens": (DEFAULT_SUPPRESSED,),
    "suppress_blank": True,
    "prefix": "",
    "temperature": 0.0,
    "compression_ratio_threshold": 2.4,
    "log_prob_threshold": -1.0,
    "no_speech_threshold": 0.6,
}
"""What None stands for in the options of voice detector, search and quality gate: as in faster-whisper."""


Candidates = Annotated[
    tuple[Annotated[str, Field(json_schema_extra={"pattern": CODE_PATTERN})], ...],
    Field(max_length=len(LANGUAGES)),
]


class TranscribeOptions(Options):
    """How one audio object is transcribed. Two equal sets give the same transcript."""

    language: str | None = Field(
        default=None,
        description="Whisper language code, such as ko; None, empty and auto detect it.",
        examples=["ko", "en"],
        json_schema_extra={"pattern": LANGUAGE_PATTERN},
    )
    languages: Candidates | None = Field(
        default=None,
        description="The only languages that detection may find; None and empty: all that the model knows. A "
        "named language must be among them.",
        examples=[("ko", "en")],
    )
    multilingual: bool | None = Field(
        default=None,
        description="Detect the language again throughout the file, for speech that changes it; None and false: "
        "the file has one language. A language that is named is then the one to expect.",
    )
    task: Task = Task.TRANSCRIBE
    word_timestamps: bool = Field(default=False, description="Add the time and probability of each word.")
    channels: Channels = Channels.MIX
    initial_prompt: str | None = Field(
        default=None, max_length=1_000, description="Text before every window, for its style and spelling."
    )
    hotwords: str | None = Field(
        default=None, max_length=1_000, description="Names and terms to expect, separated by spaces or commas."
    )
    beam_size: Whole = Field(
        default=5, ge=1, le=10, description="Texts that the search keeps at each step; 1 takes the likeliest word."
    )
    audio_track: Annotated[int, Field(ge=0, le=1_000), WHOLE] | None = Field(
        default=None,
        description="The audio track to transcribe, counted from 0; None takes the main one, or another when that "
        "has no speech.",
    )
    vad: bool = Field(default=True, description="Remove audio without speech before inference.")
    vad_parameters: Vad | None = Field(
        default=None,
        description="How speech is found, such as threshold=0.6,speech_pad_ms=200; None: as in faster-whisper's "
        "batched pipeline.",
    )
    patience: Factor | None = Field(
        default=None, description="Beam search ends after beam_size times this many finished texts; None: 1."
    )
    length_penalty: Exponent | None = Field(
        default=None,
        description="Exponent of the length by which a text's score is divided; above 1, long texts win; None: 1.",
    )
    repetition_penalty: Factor | None = Field(
        default=None, description="Divides the score of tokens that occurred; 1 is none; None: 1."
    )
    no_repeat_ngram_size: Annotated[int, Field(ge=0, le=448), WHOLE] | None = Field(
        default=None, description="No run of this many tokens occurs twice in a window; 0 permits all; None: 0."
    )
    suppress_tokens: TokenIds | None = Field(
        default=None,
        description="Tokens that are never decoded, by id; -1 stands for all symbols that are no speech; None: -1 "
        "alone. Whisper's control tokens are never decoded.",
    )
    suppress_blank: bool | None = Field(
        default=None, description="Never begin a window's text with a blank or with its end; None: true."
    )
    prefix: str | None = Field(
        default=None,
        max_length=1_000,
        description="Beginning of the text of the first window, of each channel where they are split; at most 112 "
        "tokens of it count.",
    )
    temperature: Zero | None = Field(
        default=None,
        description="Only 0: sampling cannot be repeated, and equal options have to give equal words.",
    )
    compression_ratio_threshold: Threshold | None = Field(
        default=None, description="Text that compresses better repeats itself and is decoded again; None: 2.4."
    )
    log_prob_threshold: LogProbability | None = Field(
        default=None, description="Text with a lower mean log-probability is improbable; None: -1."
    )
    no_speech_threshold: Probability | None = Field(
        default=None,
        description="Improbable text of a window with a higher probability of no speech is dropped; None: 0.6.",
    )
    model: str | None = Field(
        default=None, description="A model that this deployment serves; None takes its default."
    )
    exports: tuple[ExportFormat, ...] = Field(
        default=(), description="Files to write beside the transcript, in these formats."
    )

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str | None) -> str | None:
        return None if value in (None, "", AUTO) else _known_code(value)

    @field_validator("languages")
    @classmethod
    def _candidates(cls, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # In one order, so that equal sets have equal digests.
        known = {_known_code(value) for value in values or ()}
        return tuple(code for code in LANGUAGES if code in known) or None

    @field_validator("multilingual")
    @classmethod
    def _unset_when_off(cls, value: bool | None) -> bool | None:
        return value or None

    @field_validator(*DECODING_DEFAULTS)
    @classmethod
    def _unset_at_default(cls, value: object, info: ValidationInfo) -> object:
        # One spelling for equal options: a set with a default written out has the digest of the set without it.
        return None if value == DECODING_DEFAULTS[str(info.field_name)] else value

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What cannot be honoured together, in sentences: an option without effect would be ignored silently."""
        sentences = [f"vad_parameters: {each}" for each in (self.vad_parameters or VadParameters()).contradictions]
        if self.languages and self.language is not None and self.language not in self.languages:
            candidates = ", ".join(self.languages)
            sentences.append(
                f"language: {self.language} is not among languages ({candidates}); add it, or leave one out"
            )
        if self.vad_parameters is not None and not self.vad:
            sentences.append("vad_parameters: vad is false, so they change nothing; leave one of the two out")
        if self.patience is not None and self.beam_size == 1:
            sentences.append("patience: beam_size is 1, so it changes nothing; leave one of the two out")
        return tuple(sentences)

    def for_digest(self) -> Self:
        """Return the options without those that do not change the words: the exports."""
        return self.model_copy(update={"exports": ()})


class EnrichOptions(Options):
    """Enrichments of the transcript. Empty requests none."""

    profiles: tuple[ProfileName, ...] = Field(
        default=(), max_length=16, description="Profiles to apply, such as summary and action_items."
    )
    instruction: str | None = Field(
        default=None, max_length=4_000, description="What the language model does with the text, in your words."
    )
    language: str | None = Field(
        default=None, description="Language of the answer; None takes the transcript's.", max_length=64
    )

    @property
    def has_work(self) -> bool:
        """Whether the options request any enrichment."""
        return bool(self.profiles or self.instruction)
