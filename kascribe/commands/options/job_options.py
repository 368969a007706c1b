"""The options of a job on the command line, shared by ``submit``, ``transcribe`` and ``enrich``."""

from typing import Annotated, Final, TypeVar

import typer
from pydantic import ValidationError

from kascribe.commands.options import completions
from schemas.errors import ConfigurationError
from schemas.options import (
    Channels,
    EnrichOptions,
    ExportFormat,
    Task,
    TranscribeOptions,
    language_code,
    language_codes,
)
from schemas.options.types import AS_TEXT

RECOGNITION: Final = "Recognition"
ENRICHMENT: Final = "Enrichment"
OUTPUT: Final = "Output"
"""Panels of the help."""

Language = Annotated[
    str | None,
    typer.Option(
        "--language",
        "-l",
        metavar="CODE",
        help="Such as ko or en; detected if not given.",
        rich_help_panel=RECOGNITION,
        autocompletion=completions.languages,
    ),
]
Languages = Annotated[
    str | None,
    typer.Option(
        metavar="CODES",
        help="The only languages to detect, comma-separated, such as ko,en.",
        rich_help_panel=RECOGNITION,
    ),
]
Multilingual = Annotated[
    bool,
    typer.Option("--multilingual", help="Detect the language throughout the file.", rich_help_panel=RECOGNITION),
]
TaskOption = Annotated[
    Task,
    typer.Option(
        metavar="TASK",
        help="transcribe, or translate into English, on models that can.",
        rich_help_panel=RECOGNITION,
    ),
]
Words = Annotated[
    bool, typer.Option("--words", help="Times and probabilities of words.", rich_help_panel=RECOGNITION)
]
ChannelsOption = Annotated[
    Channels, typer.Option(help="split transcribes each channel by itself.", rich_help_panel=RECOGNITION)
]
AudioTrack = Annotated[
    int | None,
    typer.Option(min=0, help="The audio track, from 0; else one with speech.", rich_help_panel=RECOGNITION),
]
Prompt = Annotated[
    str | None,
    typer.Option("--prompt", help="Text that sets the style and the names.", rich_help_panel=RECOGNITION),
]
Hotwords = Annotated[
    str | None,
    typer.Option(metavar="WORDS", help="Words that are likely to occur.", rich_help_panel=RECOGNITION),
]
BeamSize = Annotated[int, typer.Option(min=1, max=10, help="1 is fastest.", rich_help_panel=RECOGNITION)]
Exports = Annotated[
    list[ExportFormat] | None,
    typer.Option(
        "--export", metavar="FORM", help="Also keep this form in the bucket; repeatable.", rich_help_panel=OUTPUT
    ),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="PROFILE",
        help="Enrich, such as summary; repeatable.",
        rich_help_panel=ENRICHMENT,
        autocompletion=completions.profiles,
    ),
]
Instruction = Annotated[
    str | None, typer.Option(help="Enrich by an instruction of your own.", rich_help_panel=ENRICHMENT)
]
AnswerLanguage = Annotated[
    str | None,
    typer.Option(
        "--answer-language",
        metavar="LANGUAGE",
        help="Of enrichments, such as Korean; else the transcript's.",
        rich_help_panel=ENRICHMENT,
    ),
]
FormOption = Annotated[
    ExportFormat, typer.Option("--as", metavar="FORM", help="The form to print or write.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress; only results and failures.", rich_help_panel=OUTPUT),
]

Parsed = TypeVar("Parsed", TranscribeOptions, EnrichOptions)


def transcribe_options(**given: object) -> TranscribeOptions:
    """Return the options. Raises ConfigurationError with a sentence per problem."""
    if isinstance(language := given.get("language"), str):
        given["language"] = language_code(language)
    given["languages"] = language_codes(str(given.get("languages") or "").split(","))
    options = _parsed(TranscribeOptions, given)
    if options.contradictions:
        raise ConfigurationError("; ".join(options.contradictions))
    return options


def enrich_options(
    profiles: list[str] | None, instruction: str | None, language: str | None = None
) -> EnrichOptions | None:
    """Return the options for the enricher, None without any. Raises ConfigurationError."""
    options = _parsed(
        EnrichOptions, {"profiles": profiles or (), "instruction": instruction, "language": language}
    )
    if options.has_work:
        return options
    if language:
        raise ConfigurationError("--answer-language: say what the answer is to, with --profile or --instruction")
    return None


def _parsed(kind: type[Parsed], values: dict[str, object]) -> Parsed:
    try:
        return kind.model_validate(values, context=AS_TEXT)
    except ValidationError as error:
        problems = (f"--{'.'.join(map(str, p['loc'])).replace('_', '-')}: {p['msg']}" for p in error.errors())
        raise ConfigurationError("; ".join(problems)) from error
