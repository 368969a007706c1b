"""Options of a job."""

from schemas.options.sets import (
    AUTO,
    DECODING_DEFAULTS,
    LANGUAGE_PATTERN,
    Channels,
    EnrichOptions,
    ExportFormat,
    Lane,
    ProfileName,
    Task,
    TranscribeOptions,
    language_code,
    language_codes,
)
from schemas.options.types import Options, VadParameters, Whole

__all__ = [
    "AUTO",
    "DECODING_DEFAULTS",
    "LANGUAGE_PATTERN",
    "Channels",
    "EnrichOptions",
    "ExportFormat",
    "Lane",
    "Options",
    "ProfileName",
    "Task",
    "TranscribeOptions",
    "VadParameters",
    "Whole",
    "language_code",
    "language_codes",
]
