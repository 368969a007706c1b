"""The options of a job on the command line, shared by ``submit``, ``transcribe`` and ``enrich``."""

from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from schemas.errors import ConfigurationError
from schemas.options import Channels, EnrichOptions, ExportFormat, Task, TranscribeOptions, language_code

Language = Annotated[str | None, typer.Option("--language", "-l", help="Such as ko or en; detected if not given.")]
TaskOption = Annotated[Task, typer.Option(help="translate gives English, on models that can.")]
Words = Annotated[bool, typer.Option("--words", help="Times and probabilities of words.")]
ChannelsOption = Annotated[Channels, typer.Option(help="split transcribes each channel by itself.")]
AudioTrack = Annotated[int | None, typer.Option(min=0, help="The audio track, from 0; else one with speech.")]
Prompt = Annotated[str | None, typer.Option("--prompt", help="Text that sets the style and the names.")]
Hotwords = Annotated[str | None, typer.Option(help="Words that are likely to occur.")]
BeamSize = Annotated[int, typer.Option(min=1, max=10, help="1 is fastest.")]
Exports = Annotated[list[ExportFormat] | None, typer.Option("--export", help="Also keep this form; repeatable.")]
Profiles = Annotated[list[str] | None, typer.Option("--profile", help="Enrich, such as summary; repeatable.")]
Instruction = Annotated[str | None, typer.Option(help="Enrich by an instruction of your own.")]
AnswerLanguage = Annotated[
    str | None,
    typer.Option("--answer-language", help="Of enrichments, such as Korean; else the transcript's."),
]

Parsed = TypeVar("Parsed", TranscribeOptions, EnrichOptions)


def transcribe_options(**given: object) -> TranscribeOptions:
    """Return the options. Raises ConfigurationError with a sentence per problem."""
    if isinstance(language := given.get("language"), str):
        given["language"] = language_code(language)
    return _parsed(TranscribeOptions, given)


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
        return kind.model_validate(values)
    except ValidationError as error:
        problems = (f"--{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise ConfigurationError("; ".join(problems)) from error
