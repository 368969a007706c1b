"""``kascribe submit``: upload, publish, and follow until the transcripts are there."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from kascribe.commands.options import job_options, submit_options
from kascribe.commands.options.decoding_options import decoding_options
from kascribe.console.board import Board
from kascribe.console.terminal import Screen, notify
from kascribe.process.interruption import INTERRUPTED
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.options import Channels, Lane, Task
from schemas.roles import Role

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from kascribe.configuration.reading import Loaded
    from kascribe.embedded.session import Session
    from kascribe.sources.arguments import Source
    from kascribe.sources.objects import ObjectSources
    from kascribe.submission.submitter import SubmissionRequest


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a submission is shown."""

    follows: bool
    is_quiet: bool
    as_json: bool

    def board(self) -> Board:
        """Return the board: beside lines of JSON, everything else goes to standard error."""
        errors = Screen(stderr=True)
        out = errors if self.as_json or self.is_quiet else Screen()
        return Board(out, beside=errors, is_quiet=self.is_quiet)


@decoding_options
def submit(
    sources: submit_options.Sources,
    language: job_options.Language = None,
    languages: job_options.Languages = None,
    multilingual: job_options.Multilingual = False,
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
    name: submit_options.Name = None,
    interactive: submit_options.Interactive = False,
    key: submit_options.Key = None,
    again: submit_options.Again = False,
    webhook_url: submit_options.WebhookUrl = None,
    follow: submit_options.Follow = True,
    quiet: job_options.Quiet = False,
    as_json: submit_options.AsJson = False,
    *,
    decoding: dict[str, str],
) -> None:
    """Upload audio, publish references, and follow the jobs.

    A file that fails stops no other; failures are listed at the end, and the exit code is 1. The same command
    again continues an interrupted one: what was uploaded is not uploaded again, and finished jobs are shown at
    once.

    Examples:
        $ kascribe submit meeting.m4a --language ko
        $ kascribe submit recordings/ '**/*.mp3' s3://calls/2026/
        $ ffmpeg -i tcp://:9000 -f ogg - | kascribe submit - --name radio.ogg
        $ kascribe submit recordings/ --json --quiet | jq -r .text
    """
    from kascribe.submission.submitter import SubmissionRequest

    request = SubmissionRequest(
        options=job_options.transcribe_options(
            language=language,
            languages=languages,
            multilingual=multilingual,
            task=task,
            word_timestamps=words,
            channels=channels,
            audio_track=audio_track,
            initial_prompt=prompt,
            hotwords=hotwords,
            beam_size=beam_size,
            exports=exports or (),
            **decoding,
        ),
        enrich=job_options.enrich_options(profiles, instruction, answer_language),
        lane=Lane.INTERACTIVE if interactive else Lane.BULK,
        idempotency_key=key,
        webhook_url=_checked(webhook_url),
    )
    if again and key:
        raise ConfigurationError("--again is a new job and --key names one: use one of them")
    manner = _Manner(follow, quiet, as_json)
    if _run(sources, name, request, manner, is_new=again):
        raise typer.Exit(1)


def _checked(webhook_url: str | None) -> str | None:
    """Return the URL. Raises WebhookNotAllowed, as far as that needs no DNS."""
    if webhook_url is not None:
        from kascribe.configuration.reading import load
        from schemas.webhooks.targets import checked_address

        checked_address(webhook_url, load().settings.webhooks)
    return webhook_url


class _System:
    """The running system, looked for when it is first needed: a mistyped name is told before."""

    @cached_property
    def loaded(self) -> "Loaded":
        """Its settings. Blocks for seconds; raises ConfigurationError and DependencyDown."""
        from consumers.s3 import reach_store
        from kascribe.commands.settings import running_system

        loaded = running_system()
        reach_store(loaded.settings.s3)
        return loaded

    @cached_property
    def objects(self) -> "ObjectSources":
        """Its buckets."""
        from kascribe.sources.objects import ObjectSources

        return ObjectSources(self.loaded.settings.s3, self.client)

    @cached_property
    def client(self) -> "S3Client":
        """The one client for its object store: to make another takes a good part of a second."""
        from producers.s3 import create_client

        return create_client(self.loaded.settings.s3)

    def below(self, address: str) -> "list[Source]":
        """Return the objects below an address. Blocks; raises DependencyDown."""
        return self.objects.below(address)

    def content_of(self, source: "Source") -> str | None:
        """Return what identifies the bytes of a source. Blocks; raises OSError, AudioNotFound."""
        from kascribe.submission.submitter import sha256_of

        return self.objects.version(source) if source.is_object else sha256_of(source)


def _run(
    arguments: list[str], name: str | None, request: "SubmissionRequest", manner: _Manner, *, is_new: bool
) -> bool:
    """Submit what the arguments name, and follow the jobs; return whether one failed."""
    from kascribe.commands.settings import session_in_use
    from kascribe.sources.arguments import sources_of
    from kascribe.sources.standard_input import standard_input

    system = _System()
    with standard_input(name) as read_input:
        named = sources_of(arguments, standard_input=read_input, list_objects=system.below)
        wanted = named.named(name)
        _refuse_unanswerable(request, wanted, session_in_use(system.loaded))
        if not manner.is_quiet:
            for sentence in named.left_out_sentences():
                notify(sentence)
        return _submit_and_follow(system, wanted, request, manner, is_new=is_new)


def _submit_and_follow(
    system: _System,
    wanted: "list[Source]",
    request: "SubmissionRequest",
    manner: _Manner,
    *,
    is_new: bool,
) -> bool:
    from consumers.kafka.follower import Start
    from kascribe.console.following import JobFeed
    from kascribe.submission.finished import KeyedJob, PastResults
    from kascribe.submission.following import Followed, follow
    from kascribe.submission.report import Report
    from kascribe.submission.sending import Sender, size_bytes_of
    from kascribe.wiring.clients import opened_submitter

    settings = system.loaded.settings
    keyed = KeyedJob(wanted[0], system.content_of(wanted[0])) if request.idempotency_key else None
    past = PastResults(settings.s3, request, keyed=keyed, client=system.client)
    board = manner.board()
    board.expect(len(wanted), sum(map(size_bytes_of, wanted)))
    with ExitStack() as resources:
        # The feed opens first: an answer that arrives before it would be missed.
        feed = JobFeed(settings.kafka, start=Start.NOW) if manner.follows else None
        if feed:
            resources.callback(feed.close)
        submitter = resources.enter_context(opened_submitter(settings, client=system.client))
        resources.callback(board.stop)
        board.start()
        sender = Sender(submitter, past, board, (lambda _: None) if is_new else system.content_of)
        report = Report(board, sender.sent, as_json=manner.as_json, follows=manner.follows)
        try:
            sender.send(wanted, request)
            followed = Followed(sender.sent, is_enriched=request.enrich is not None)
            report.on_sent(followed)
            if feed:
                follow(followed, feed, past, board, clock=SystemClock(), on_ended=report.on_ended)
        except KeyboardInterrupt:
            report.on_interrupted(len(wanted))
            raise typer.Exit(INTERRUPTED) from None
    return bool(followed.tracker.failed) or any(sent.problem for sent in sender.sent)


def _refuse_unanswerable(request: "SubmissionRequest", sources: "list[Source]", session: "Session | None") -> None:
    """Refuse a submission that cannot be answered. Raises ConfigurationError."""
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
