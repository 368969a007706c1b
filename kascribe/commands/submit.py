"""``kascribe submit``: upload, publish, and follow until the transcripts are there."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from kascribe.board import Board, Tracker
from kascribe.commands import asking
from schemas.options import Channels, Lane, Task

if TYPE_CHECKING:
    from kascribe.following import JobFeed
    from kascribe.submission import Request, Submitted, Submitter


def submit(
    sources: Annotated[list[str], typer.Argument(metavar="FILE|DIR|s3://…", help="What to transcribe.")],
    language: asking.Language = None,
    task: asking.TaskOption = Task.TRANSCRIBE,
    words: asking.Words = False,
    channels: asking.ChannelsOption = Channels.MIX,
    prompt: asking.Prompt = None,
    hotwords: asking.Hotwords = None,
    beam_size: asking.BeamSize = 5,
    exports: asking.Exports = None,
    profiles: asking.Profiles = None,
    instruction: asking.Instruction = None,
    answer_language: asking.AnswerLanguage = None,
    interactive: Annotated[bool, typer.Option("--interactive", help="Go before bulk work.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key is the same job.")] = None,
    follow: Annotated[bool, typer.Option(help="Wait for the transcripts and show them.")] = True,
) -> None:
    """Upload audio, publish references, and follow the jobs."""
    from consumers.follower import Start
    from kascribe.commands.settings import client_settings
    from kascribe.following import JobFeed
    from kascribe.submission import Request, sources_of
    from kascribe.wiring.clients import opened_submitter

    request = Request(
        options=asking.transcribe_options(
            language=language,
            task=task,
            word_timestamps=words,
            channels=channels,
            initial_prompt=prompt,
            hotwords=hotwords,
            beam_size=beam_size,
            exports=exports or (),
        ),
        enrich=asking.enrich_options(profiles, instruction, answer_language),
        lane=Lane.INTERACTIVE if interactive else Lane.BULK,
        idempotency_key=key,
    )
    console = Console()
    settings = client_settings().settings
    wanted = list(sources_of(sources))
    with opened_submitter(settings) as submitter:
        if not follow:
            _submit(submitter, wanted, request, console)
            return
        # The feed opens first: an answer that overtakes us would be missed otherwise.
        feed = JobFeed(settings.kafka, start=Start.NOW)
        try:
            jobs = _submit(submitter, wanted, request, console)
            failed = _follow(feed, jobs, console, enriched=request.enrich is not None)
        finally:
            feed.close()
    if failed:
        raise typer.Exit(1)


def _submit(submitter: "Submitter", sources: list[str], request: "Request", console: Console) -> "list[Submitted]":
    jobs = []
    with Progress(console=console, transient=True) as progress:
        for source in sources:
            size = Path(source).stat().st_size if Path(source).is_file() else 0
            bar = progress.add_task(source.rsplit("/", 1)[-1], total=size or None)
            job = submitter.submit(source, request, on_bytes=partial(progress.advance, bar))
            progress.remove_task(bar)
            console.print(f"{job.name}: job {job.job_id}", highlight=False, markup=False)
            jobs.append(job)
    return jobs


def _follow(feed: "JobFeed", jobs: "list[Submitted]", console: Console, *, enriched: bool) -> set[str]:
    """Shows the jobs until each is done; returns those that failed."""
    board = Board(console)
    tracker = Tracker({job.job_id for job in jobs}, enriched=enriched)
    for job in jobs:
        board.submitted(job.job_id, job.name)
    board.start()
    try:
        for event in feed.events():
            if event is not None and tracker.take(event):
                board.show(event)
            if not tracker.open:
                return tracker.failed
    finally:
        board.stop()
    return tracker.failed
