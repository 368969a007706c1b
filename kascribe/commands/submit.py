"""``kascribe submit``: upload, publish, and follow until the transcripts are there."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kascribe.commands import job_options
from kascribe.console.board import Board
from kascribe.console.job_lines import Tracker
from kascribe.console.terminal import Screen
from schemas.clock import Clock, SystemClock
from schemas.errors import ConfigurationError, PermanentError
from schemas.events import JobEvent, TranscriptEvent
from schemas.options import Channels, Lane, Task
from schemas.roles import Role

if TYPE_CHECKING:
    from kascribe.console.finished import FinishedJob
    from kascribe.console.following import JobFeed
    from kascribe.embedded.session import Session
    from kascribe.submission import Source, SubmissionRequest, SubmittedJob, Submitter

POLL_SECONDS: Final = 2.0
"""Between reads of the bucket for a job with a key: its answer may have been published before."""

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C stopped."""


def submit(
    sources: Annotated[list[str], typer.Argument(metavar="FILE|DIR|s3://…", help="What to transcribe.")],
    language: job_options.Language = None,
    task: job_options.TaskOption = Task.TRANSCRIBE,
    words: job_options.Words = False,
    channels: job_options.ChannelsOption = Channels.MIX,
    audio_track: job_options.AudioTrack = None,
    prompt: job_options.Prompt = None,
    hotwords: job_options.Hotwords = None,
    beam_size: job_options.BeamSize = 5,
    exports: job_options.Exports = None,
    profiles: job_options.Profiles = None,
    instruction: job_options.Instruction = None,
    answer_language: job_options.AnswerLanguage = None,
    interactive: Annotated[bool, typer.Option("--interactive", help="Go before bulk work.")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key is the same job.")] = None,
    follow: Annotated[bool, typer.Option(help="Wait for the transcripts and show them.")] = True,
) -> None:
    """Upload audio, publish references, and follow the jobs."""
    from consumers.kafka.follower import Start
    from consumers.s3 import reach_store
    from kascribe.commands.settings import running_system, session_in_use
    from kascribe.console.finished import FinishedJob
    from kascribe.console.following import JobFeed
    from kascribe.submission import SubmissionRequest, sources_of
    from kascribe.wiring.clients import opened_submitter

    request = SubmissionRequest(
        options=job_options.transcribe_options(
            language=language,
            task=task,
            word_timestamps=words,
            channels=channels,
            audio_track=audio_track,
            initial_prompt=prompt,
            hotwords=hotwords,
            beam_size=beam_size,
            exports=exports or (),
        ),
        enrich=job_options.enrich_options(profiles, instruction, answer_language),
        lane=Lane.INTERACTIVE if interactive else Lane.BULK,
        idempotency_key=key,
    )
    wanted = list(sources_of(sources))
    loaded = running_system()
    settings = loaded.settings
    _refuse_unanswerable(request, wanted, session_in_use(loaded))
    reach_store(settings.s3)
    board = Board(Screen(), beside=Screen(stderr=True))
    board.expect(len(wanted))
    finished = FinishedJob(settings.s3, request, wanted[0]) if key else None
    if finished and finished.show_on(board):
        return
    # The feed opens first: an answer that arrives before it would be missed.
    with ExitStack() as resources:
        feed = JobFeed(settings.kafka, start=Start.NOW) if follow else None
        if feed:
            resources.callback(feed.close)
        submitter = resources.enter_context(opened_submitter(settings))
        resources.callback(board.stop)
        board.start()
        jobs = _submit(submitter, wanted, request, board)
        failed = len(jobs) < len(wanted)
        if feed:
            failed |= _follow(feed, jobs, board, request, finished)
    if failed:
        raise typer.Exit(1)


def _refuse_unanswerable(request: "SubmissionRequest", sources: "list[Source]", session: "Session | None") -> None:
    """Refuse a submission that cannot be answered. Raises ConfigurationError."""
    if not sources:
        raise ConfigurationError("no file is there to submit: what is hidden or unfinished is left out")
    if request.idempotency_key and len(sources) > 1:
        raise ConfigurationError(
            f"--key names one job, and these are {len(sources)} files: submit each with a key of its own, or "
            "leave the key out"
        )
    if request.enrich and session and Role.ENRICHER not in session.roles:
        raise ConfigurationError(
            "no enricher runs: set KASCRIBE_VLLM_BASE_URL to a vLLM server where `kascribe up` is started, or "
            "submit without --profile and --instruction"
        )


def _submit(
    submitter: "Submitter", sources: "list[Source]", request: "SubmissionRequest", board: Board
) -> "list[SubmittedJob]":
    """Submit the readable sources, and report the others."""
    jobs = []
    for source in sources:
        try:
            job = submitter.submit(
                source.location, request, name=source.name, on_bytes=_upload_shown(source, board)
            )
        except (OSError, PermanentError) as error:
            board.not_submitted(source.name, str(error))
            continue
        board.announce(f"{job.name}: job {job.job_id}")
        board.submitted(job.job_id, job.name)
        jobs.append(job)
    return jobs


def _upload_shown(source: "Source", board: Board) -> Callable[[int], None]:
    """Show the progress of an upload on the board; return its callback for further bytes."""
    path, done_bytes = Path(source.location), 0
    total_bytes = path.stat().st_size if path.is_file() else 0

    def on_bytes(more_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes += more_bytes
        board.uploading(source.name, done_bytes / total_bytes if total_bytes else 0.0)

    on_bytes(0)
    return on_bytes


def _follow(
    feed: "JobFeed",
    jobs: "list[SubmittedJob]",
    board: Board,
    request: "SubmissionRequest",
    finished: "FinishedJob | None",
) -> bool:
    """Show the jobs until each is done; return whether one failed."""
    names = {job.job_id: job.name for job in jobs}
    references = frozenset(job.reference_event_id for job in jobs)
    tracker = Tracker(set(names), enriched=request.enrich is not None, references=references)
    try:
        for event in _answers(feed.events(), jobs, finished, clock=SystemClock()):
            if event is not None and tracker.take(event):
                board.show(event)
                if request.enrich and isinstance(event, TranscriptEvent):
                    board.announce(f"{names[event.job_id]}: transcribed; waiting for the enricher")
            if not tracker.open:
                break
    except KeyboardInterrupt:
        for job_id in tracker.open:
            board.announce(
                f"{names[job_id]} goes on: `kascribe show {job_id}` prints its transcript once it is there"
            )
        raise typer.Exit(INTERRUPTED) from None
    return bool(tracker.failed)


def _answers(
    events: "Iterator[JobEvent | None]",
    jobs: "list[SubmittedJob]",
    finished: "FinishedJob | None",
    *,
    clock: Clock,
) -> "Iterator[JobEvent | None]":
    """Yield the feed's events, and for a job with a key also its answers in the bucket.

    Another record may have done the job before the feed was opened. The bucket is polled even while the feed is
    busy with other jobs; no answer is yielded twice.
    """
    polled_at = clock.monotonic()
    ours = {job.job_id for job in jobs}
    found: set[str] = set()
    for event in events:
        if finished and isinstance(event, TranscriptEvent) and event.job_id in ours:
            finished.check(event)
        yield event
        if finished and clock.monotonic() - polled_at > POLL_SECONDS:
            polled_at = clock.monotonic()
            for answer in chain.from_iterable(map(finished.events, ours)):
                if answer.event_id not in found:
                    found.add(answer.event_id)
                    yield answer
