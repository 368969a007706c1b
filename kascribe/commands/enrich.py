"""``kascribe enrich``: try profiles and instructions on one transcript, and stream the answer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kascribe.commands import job_options
from kascribe.console.terminal import notify, write
from schemas.options import EnrichOptions, Lane

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.vllm.enrichment.ports import NoteStore
    from models.vllm.enrichment.request import Enrichment
    from schemas.events import EnrichmentResult
    from schemas.settings import Settings
    from schemas.transcripts.transcript import Segment


def enrich(
    source: Annotated[str, typer.Argument(metavar="FILE|JOB", help="A transcript (JSON or text), or a job's id.")],
    profiles: job_options.Profiles = None,
    instruction: job_options.Instruction = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Of the answer, such as Korean.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON, and nothing before.")
    ] = False,
) -> None:
    """Ask the language model about one transcript, streaming its answer. An invalid one exits with 1."""
    from kascribe.commands.settings import client_settings
    from models.vllm.enricher import Enricher
    from models.vllm.enrichment.request import EnrichRequest
    from schemas.events import EnrichmentStatus
    from schemas.identity import job_id

    options = job_options.enrich_options(profiles, instruction) or EnrichOptions(profiles=("summary",))
    settings = client_settings().settings
    segments, spoken, cache = _transcript(source, settings)
    with Enricher(settings.vllm, note_store=cache) as enricher:
        request = EnrichRequest(
            job_id=job_id(f"enrich:{source}"),
            segments=segments,
            transcript_language=spoken,
            profiles=enricher.profiles_for(options),
            answer_language=language,
            lane=Lane.INTERACTIVE,
        )
        made = enricher.enrich(request, on_text=None if as_json else _Screen().write)
    if as_json:
        write(json.dumps([_shown(result) for result in made.results], ensure_ascii=False, indent=2))
    else:
        _print(made)
    if any(result.status is EnrichmentStatus.INVALID for result in made.results):
        raise typer.Exit(1)


def _print(made: "Enrichment") -> None:
    for result in made.results:
        why = f" ({', '.join(result.finish_reasons)})" if result.finish_reasons else ""
        missing = f", words may be missing{why}" if result.truncated else ""
        write(f"\n{result.profile}: {result.status.value}, {result.coverage:.0%} of the segments seen{missing}")
        write(result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False))
        if result.failure:
            notify(result.failure.message)
    used = made.usage
    write(
        f"\n{made.model}: {used.prompt_tokens} prompt tokens ({used.cached_tokens} cached), "
        f"{used.completion_tokens} completion tokens, {used.requests} requests, {made.total_seconds:.1f} s"
    )


class _Screen:
    """Shows the first answer as it arrives: raw, before it is checked. Others arrive at the same time."""

    def __init__(self) -> None:
        self._profile: str | None = None

    def write(self, profile: str, piece: str | None) -> None:
        """Print a piece of an answer; None starts it again on a new line. Called on the enricher's thread."""
        if self._profile not in (None, profile):
            return
        if self._profile is None or piece is None:
            again = " (again)" if piece is None else ""
            notify(f"\n[{profile}{again}] ", end="")
            self._profile = profile
        notify(piece or "", end="")


def _shown(result: "EnrichmentResult") -> dict[str, object]:
    return dict(result.model_dump(mode="json", exclude_none=True))


def _transcript(source: str, settings: "Settings") -> "tuple[tuple[Segment, ...], str | None, NoteStore | None]":
    """Return the segments and the language of a file or of a finished job, and the store of a job's notes.

    Raises ConfigurationError.
    """
    from consumers.enricher.transcripts import segments_of
    from kascribe.stored_transcript import stored_transcript
    from producers.results import EnrichmentResults, ResultStore

    path = Path(source)
    if path.is_file():
        return *_from_file(path), None
    transcript = stored_transcript(ResultStore(settings.s3), source)
    return segments_of(transcript), transcript.language, EnrichmentResults(settings.s3)


def _from_file(path: Path) -> "tuple[tuple[Segment, ...], str | None]":
    from consumers.enricher.transcripts import segments_of
    from schemas.errors import ConfigurationError
    from schemas.transcripts.transcript import Transcript

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is neither a transcript's JSON file nor UTF-8 text: {error}") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict | list):
        return _segments(line.strip() for line in text.splitlines() if line.strip()), None
    try:
        transcript = Transcript.model_validate(found)
    except ValueError:
        return _from_export(path, found)
    return segments_of(transcript), transcript.language


def _from_export(path: Path, found: object) -> "tuple[tuple[Segment, ...], str | None]":
    """Read OpenAI's ``verbose_json`` and ``json``, as Kascribe and other programs write them."""
    from pydantic import BaseModel, ValidationError

    from schemas.errors import ConfigurationError
    from schemas.transcripts.transcript import Segment

    class Export(BaseModel):
        text: str
        language: str | None = None
        segments: tuple[Segment, ...] = ()

    try:
        export = Export.model_validate(found)
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} is JSON, but no transcript of ours, and neither OpenAI's verbose_json nor json"
        ) from error
    return export.segments or _segments([export.text]), export.language


def _segments(lines: "Iterable[str]") -> "tuple[Segment, ...]":
    from schemas.transcripts.transcript import Segment

    return tuple(Segment(id=n, start=0.0, end=0.0, text=line) for n, line in enumerate(lines))
