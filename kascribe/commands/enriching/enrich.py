"""``kascribe enrich``: profiles and instructions on one transcript, streamed, or on all of them."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kascribe.commands.options import job_options
from kascribe.console.terminal import notify, write
from kascribe.process.interruption import INTERRUPTED
from schemas.errors import ConfigurationError, DependencyDown, EnrichmentFailed
from schemas.options import EnrichOptions, Lane

if TYPE_CHECKING:
    from kascribe.enriching.files import SpokenText
    from models.vllm.enrichment.ports import NoteStore
    from models.vllm.enrichment.request import Enrichment
    from schemas.events import EnrichmentResult
    from schemas.settings import Settings, VllmSettings

IN_FLIGHT: Final = 64
"""As many as one enricher takes at once by default: `KASCRIBE_RUNTIME_IN_FLIGHT_RECORDS`."""

_JOB: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def enrich(
    source: Annotated[
        str | None, typer.Argument(metavar="FILE|JOB", help="A transcript (JSON or text), or a job's id.")
    ] = None,
    profiles: job_options.Profiles = None,
    instruction: job_options.Instruction = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Of the answer, such as Korean.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every transcript on the topic, by the running enrichers; resumable.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(help="With --all: made since then; 90m, 12h, 7d, a date or a time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="With --all: made before then.")] = None,
    tenants: Annotated[
        list[str] | None, typer.Option("--tenant", help="With --all: only this tenant's; repeatable.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--run", help="With --all: the run's name; else one of the options.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="With --all: at most so many requests.")] = None,
    in_flight: Annotated[
        int, typer.Option(min=1, max=10_000, help="With --all: requests without an answer at most.")
    ] = IN_FLIGHT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --all: only say how many.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results, or the summary of --all, as JSON alone.")
    ] = False,
) -> None:
    """Ask the language model about one transcript, streaming its answer; or enrich all of them again.

    An invalid answer exits with 1. --all reads the transcripts topic and requests what is not enriched yet from
    the running enrichers; stopped or killed, the same command continues.

    Examples:
        $ kascribe enrich transcript.json --profile summary --profile action_items
        $ kascribe enrich 5f1c0d7a9b3e4c2d8a6f7b1e0c9d8e7f --instruction "Who called?"
        $ kascribe enrich --all --profile summary --since 7d --dry-run
    """
    if every:
        from kascribe.commands.enriching.enrich_all import enrich_all
        from kascribe.enriching.plan import Plan
        from kascribe.enriching.run import Bounds

        options = _wanted_of_all(source, profiles, instruction, language)
        plan = Plan(options, since, until, tuple(tenants or ()), name)
        enrich_all(plan, Bounds(in_flight=in_flight, limit=limit), dry_run=dry_run, as_json=as_json)
        return
    if any((since, until, tenants, name, limit, dry_run)):
        raise ConfigurationError("--since, --until, --tenant, --run, --limit and --dry-run belong to --all")
    if source is None:
        raise ConfigurationError("name a transcript file or a job's id, or write --all")
    wanted = job_options.enrich_options(profiles, instruction) or EnrichOptions(profiles=("summary",))
    _enrich_one(source, wanted, language, as_json=as_json)


def _wanted_of_all(
    source: str | None, profiles: list[str] | None, instruction: str | None, language: str | None
) -> EnrichOptions:
    from kascribe.commands.settings import client_settings

    if source is not None:
        raise ConfigurationError(f"--all is every transcript: leave out {source}, or --all")
    # The enricher's default is part of the identity of what it enriches by default: the same is one result.
    language = language or client_settings().settings.vllm.answer_language
    options = job_options.enrich_options(profiles, instruction, language) if profiles or instruction else None
    if options is None:
        raise ConfigurationError("say what to ask about every transcript, with --profile or --instruction")
    return options


def _enrich_one(source: str, options: EnrichOptions, language: str | None, *, as_json: bool) -> None:
    from kascribe.commands.settings import client_settings
    from models.vllm.enricher import Enricher
    from models.vllm.enrichment.request import EnrichRequest
    from schemas.events import EnrichmentStatus
    from schemas.identity import job_id

    settings = client_settings().settings
    spoken, cache = _transcript(source, settings)
    screen = None if as_json else _Screen()
    with Enricher(settings.vllm, note_store=cache) as enricher:
        request = EnrichRequest(
            job_id=job_id(f"enrich:{source}"),
            segments=spoken.segments,
            transcript_language=spoken.language,
            profiles=enricher.profiles_for(options),
            answer_language=language,
            lane=Lane.INTERACTIVE,
        )
        try:
            made = enricher.enrich(request, on_text=screen.write if screen else None)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except (DependencyDown, EnrichmentFailed) as error:
            raise EnrichmentFailed(_with_address(str(error), settings.vllm)) from error
        finally:
            if screen:
                screen.end()
    if as_json:
        write(json.dumps(as_document(made), ensure_ascii=False, indent=2))
    else:
        _print(made)
    if any(result.status is EnrichmentStatus.INVALID for result in made.results):
        raise typer.Exit(1)


def _with_address(problem: str, settings: "VllmSettings") -> str:
    from schemas.settings.catalogue import without_credentials

    if "KASCRIBE_VLLM_" in problem:
        return problem
    address = without_credentials(settings.base_url or "")
    return (
        f"{problem}. KASCRIBE_VLLM_BASE_URL is {address}: see whether a vLLM server answers there, and its log; "
        "then repeat the command"
    )


def as_document(made: "Enrichment") -> dict[str, Any]:
    """Return an enrichment for programs, with the names of ``EnrichmentEvent``."""
    return {
        "model": made.model,
        "usage": made.usage.model_dump(),
        "total_seconds": made.total_seconds,
        "results": [_shown(result) for result in made.results],
    }


def _print(made: "Enrichment") -> None:
    for result in made.results:
        why = f" ({', '.join(result.finish_reasons)})" if result.finish_reasons else ""
        missing = f", words may be missing{why}" if result.truncated else ""
        write(f"\n{result.profile}: {result.status.value}, {result.coverage:.0%} of the segments seen{missing}")
        if result.output is not None:
            write(
                result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
            )
        for doubt in result.doubts:
            segment = "" if doubt.segment_id is None else f" in segment {doubt.segment_id}"
            write(f"  doubt: {doubt.rule.value} at {doubt.path}{segment}: {doubt.detail}")
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

    def end(self) -> None:
        """End the line, so that what follows begins a new one."""
        if self._profile is not None:
            notify()


def _shown(result: "EnrichmentResult") -> dict[str, object]:
    return dict(result.model_dump(mode="json", exclude_none=True))


def _transcript(source: str, settings: "Settings") -> "tuple[SpokenText, NoteStore | None]":
    """Return the transcript of a file or of a finished job, and the store of a job's notes.

    Raises ConfigurationError, and OSError for a file that cannot be read.
    """
    from consumers.enricher.transcripts import segments_of
    from kascribe.enriching.files import SpokenText, read_transcript
    from kascribe.results.stored_transcript import stored_transcript
    from producers.results import EnrichmentResults, ResultStore

    path = Path(source)
    if path.exists():
        return read_transcript(path), None
    if not _JOB.fullmatch(source):
        raise ConfigurationError(
            f"there is no file {source}, and it is no job's id, which has 32 of the characters 0-9 and a-f"
        )
    transcript = stored_transcript(ResultStore(settings.s3), source)
    return SpokenText(segments_of(transcript), transcript.language), EnrichmentResults(settings.s3)
