"""Types of the options of decoding, under faster-whisper's names."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from schemas.options.texts import pairs_of, token_ids_of

AS_TEXT: Final = {"options": "text"}
"""Context of validation where options are text: forms, metadata, commands. Events take lists and objects only."""
SHORTEST_SPAN_MS: Final = 500
"""Speech that a span must have room for between its paddings."""
DEFAULT_SUPPRESSED: Final = -1
"""Stands for the symbols that are no speech, as Whisper's tokenizer lists them."""


def _whole(value: object) -> object:
    # 5.0 is an integer in JSON Schema, and some JSON encoders write it for 5.
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""To be written after the bounds: before them, they would not reach the JSON Schema."""
Whole = Annotated[int, WHOLE]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Options(BaseModel):
    """Base of the option sets: frozen. Unknown names are ignored here: readers refuse them in requests, but accept
    them in stored sets, which may be of a later version."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class VadParameters(Options):
    """How speech is found before inference, under faster-whisper's names; defaults as in its batched pipeline."""

    threshold: float = Field(default=0.5, ge=0.01, lt=1, description="Probability from which audio is speech.")
    neg_threshold: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Probability below which speech ends; None: 0.15 below threshold, and 0.01 at least.",
    )
    min_speech_duration_ms: Whole = Field(
        default=0, ge=0, le=30_000, description="Speech must be longer than this; shorter speech is left out."
    )
    max_speech_duration_s: Finite = Field(
        default=30.0, ge=1, le=30, description="Longest span, with its padding; longer speech is cut at a pause."
    )
    min_silence_duration_ms: Whole = Field(
        default=160, ge=0, le=30_000, description="Silence that ends a span of speech."
    )
    speech_pad_ms: Whole = Field(
        default=400, ge=0, le=5_000, description="Audio kept on either side of speech; half of a shorter silence."
    )

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What cannot be honoured together, in sentences."""
        sentences = []
        if (self.neg_threshold or 0) > self.threshold:
            sentences.append("neg_threshold is above threshold: speech would end where it begins")
        if self.max_speech_duration_s * 1_000 - 2 * self.speech_pad_ms < SHORTEST_SPAN_MS:
            sentences.append(
                f"max_speech_duration_s leaves less than {SHORTEST_SPAN_MS} ms of speech between two speech_pad_ms"
            )
        return tuple(sentences)

    @property
    def silence_threshold(self) -> float:
        """The probability below which speech ends."""
        return max(self.threshold - 0.15, 0.01) if self.neg_threshold is None else self.neg_threshold


def _pairs(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and info.context == AS_TEXT:
        return pairs_of(value, tuple(VadParameters.model_fields))
    return value


def _sorted(ids: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(ids)))


def _token_ids(value: object, info: ValidationInfo) -> object:
    ids = token_ids_of(value) if isinstance(value, str) and info.context == AS_TEXT else value
    # A list is no tuple to the strict reading of events, once a function has seen it.
    return tuple(ids) if isinstance(ids, list) else ids


def _only_zero(value: object) -> object:
    try:
        is_zero = not isinstance(value, bool) and float(str(value)) == 0
    except ValueError:
        is_zero = False
    if not is_zero:
        raise ValueError(
            "only 0 is possible: CTranslate2 cannot repeat a sample, and equal options have to give equal words; "
            "loops are broken by repetition penalties instead"
        )
    return value


TokenIds = Annotated[
    tuple[Annotated[int, Field(ge=-1, lt=2**17), WHOLE], ...],
    Field(max_length=256),
    AfterValidator(_sorted),
    BeforeValidator(_token_ids),
]
Vad = Annotated[VadParameters, BeforeValidator(_pairs)]
Zero = Annotated[Finite, Field(ge=0, le=0), BeforeValidator(_only_zero)]
Threshold = Annotated[Finite, Field(gt=0, le=1_000)]
LogProbability = Annotated[Finite, Field(ge=-1_000, le=0)]
Probability = Annotated[Finite, Field(ge=0, le=1)]
Factor = Annotated[Finite, Field(ge=1, le=10)]
Exponent = Annotated[Finite, Field(ge=0, le=10)]
