"""The embedded stack: its parts, the order in which they start, and its one loop."""

import os
import shutil
import threading
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from consumers.kafka.follower import Start
from kascribe.configuration.reading import load
from kascribe.console.board import Board
from kascribe.console.following import JobFeed
from kascribe.embedded import drop_folder
from kascribe.embedded.broker import EmbeddedBroker
from kascribe.embedded.children import Children
from kascribe.embedded.drop_folder import Fingerprint
from kascribe.embedded.keeper import Dropped, Keeper
from kascribe.embedded.object_store import ACCESS_KEY, EmbeddedObjectStore
from kascribe.embedded.recovery import Recovery
from kascribe.embedded.session import Session
from kascribe.embedded.versions import Kept
from kascribe.results.stored_transcript import stored_transcript
from kascribe.sources.arguments import readable
from kascribe.submission.submitter import SubmissionRequest
from kascribe.wiring.clients import opened_submitter
from producers.publisher import Publisher
from producers.results import ResultStore
from schemas.clock import Clock, SystemClock
from schemas.errors import KascribeError
from schemas.events import EnrichmentEvent, JobEvent, ProgressEvent, TranscriptEvent
from schemas.identity import job_id
from schemas.kafka.topics import Topics, topics_used_by
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.archive import SQLITE

LEAVE_SECONDS: Final = 20.0
"""For a role to exit after its drain: to commit, and to answer waiting HTTP requests."""

OBJECTS: Final = "objects"
ARCHIVE: Final = "archive"
"""Folders of the state directory, for the user alone, that are kept between runs."""

QUIET_POLLS: Final = 3
"""Polls without an event after which no further event of an ended role is expected."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The roles and the model to run, and the directories."""

    model: str
    model_name: str
    directory: Path
    drop_directory: Path
    transcripts_directory: Path
    roles: tuple[Role, ...]


class EmbeddedStack:
    """Broker, object store, consumers and drop folder. A context manager; ``run`` blocks until it is stopped."""

    def __init__(self, plan: Plan, settings: Settings, board: Board, *, clock: Clock | None = None) -> None:
        self._plan = plan
        self._settings = settings
        self._board = board
        self._clock = clock or SystemClock()
        self._resources = ExitStack()

    @property
    def kept(self) -> Kept:
        """What the object store held at the start."""
        return self._kept

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def run(self, stop: threading.Event, *, at_once: threading.Event | None = None) -> None:
        """Show jobs, keep transcripts and supervise the consumers until ``stop``, then until they have drained.

        Blocks. ``at_once`` hurries the drain. Raises KascribeError when a consumer died that restarts do not
        repair, after the others have drained.
        """
        dropping = threading.Thread(target=self._watch_folder, args=(stop,), name="drop-folder", daemon=True)
        recovering = threading.Thread(target=self._recover, name="recovery", daemon=True)
        recovering.start()
        dropping.start()
        try:
            self._work(stop)
        finally:
            stop.set()
            dropping.join()
            recovering.join()
            self._drain(at_once or threading.Event())

    def _work(self, stop: threading.Event) -> None:
        for event in self._feed.events():
            if event is not None:
                self._on_event(event)
            if stop.is_set():
                return
            if event is None:
                for sentence in self._children.supervise():
                    self._board.announce(sentence)

    def _drain(self, at_once: threading.Event) -> None:
        """Drain the consumers, and keep the transcripts that still finish: the topics end with this process."""
        self._board.announce(
            "Draining what is in flight; Ctrl-C again ends that at once. "
            "Topics end with this process; transcripts stay."
        )
        self._children.terminate()
        is_hurried, quiet_polls = False, 0
        for event in self._feed.events():
            if event is not None:
                self._on_event(event)
            quiet_polls = quiet_polls + 1 if event is None and not self._children.running else 0
            if quiet_polls > QUIET_POLLS:
                return
            if at_once.is_set() and not is_hurried:
                is_hurried = True
                self._children.terminate()
            for role in self._children.kill_overdue():
                self._board.announce(f"{role} did not end in time and was killed; what it had in flight is lost")

    def transcribe(self, path: Path, *, timeout_seconds: float) -> TranscriptEvent:
        """Take one file through the whole stack. Blocks; must not be called while ``run`` runs.

        Raises KascribeError when the job fails or the time is up.
        """
        job = self._submitter.submit(str(path), SubmissionRequest())
        deadline = self._clock.monotonic() + timeout_seconds
        for event in self._feed.events():
            self._children.check()
            if isinstance(event, TranscriptEvent) and event.job_id == job.job_id:
                return event
            failure = event.failure if isinstance(event, ProgressEvent) and event.job_id == job.job_id else None
            if failure is not None:
                raise KascribeError(f"{path.name}: {failure.reason.value}: {failure.message}")
            if self._clock.monotonic() > deadline:
                raise KascribeError(f"{path.name}: no transcript after {timeout_seconds:.0f} s")
        raise KascribeError("the feed of events ended")

    def _start(self, resources: ExitStack) -> None:
        for directory in (self._plan.drop_directory, self._plan.transcripts_directory):
            directory.mkdir(parents=True, exist_ok=True)
        broker = resources.enter_context(EmbeddedBroker())
        store = resources.enter_context(EmbeddedObjectStore(self._plan.directory / OBJECTS))
        broker.create_topics(topic_names(self._settings))
        self.session = self._session(broker, store)
        # boto3 reads its credentials from the environment, here and in every child process.
        os.environ.update(self.session.environment)
        settings = load().settings
        for bucket in {settings.s3.bucket, settings.s3.results_bucket or settings.s3.bucket}:
            store.create_bucket(bucket)
        self._kept = store.kept
        read = partial(store.read, settings.s3.results_bucket or settings.s3.bucket)
        self._recovery = Recovery.opened(settings, clock=self._clock, read=read)
        self._before = self._recovery.look()
        results = ResultStore(settings.s3)
        self._submitter = resources.enter_context(opened_submitter(settings))
        self._keeper = Keeper(
            self._plan.transcripts_directory, partial(stored_transcript, results), settings.subtitles
        )
        self._feed = JobFeed(settings.kafka, start=Start.NOW)
        resources.callback(self._feed.close)
        stop_timeout_seconds = self._settings.runtime.drain_timeout_seconds + LEAVE_SECONDS
        self._children = resources.enter_context(closing(Children(stop_timeout_seconds, self._clock)))
        self._start_roles()

    def _session(self, broker: EmbeddedBroker, store: EmbeddedObjectStore) -> Session:
        gateway = self._settings.gateway
        return Session(
            pid=os.getpid(),
            bootstrap_servers=broker.bootstrap_servers,
            s3_endpoint_url=store.endpoint_url,
            bucket=self._settings.s3.bucket,
            access_key=ACCESS_KEY,
            gateway_url=gateway.url,
            archive_url=None if self._settings.archive.url else self._own_archive(),
            transcripts_directory=str(self._plan.transcripts_directory),
            model=self._plan.model_name,
            roles=self._plan.roles,
        )

    def _own_archive(self) -> str:
        directory = self._plan.directory / ARCHIVE
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)  # transcripts are private, whatever the umask
        return f"{SQLITE}{directory / 'archive.db'}"

    def _start_roles(self) -> None:
        logs = self._plan.directory / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        environment = {
            "KASCRIBE_WHISPER_MODEL": self._plan.model,
            "KASCRIBE_WHISPER_DEVICE": self._settings.whisper.device,
            # Each role takes any free health port: they cannot share the one in the settings.
            "KASCRIBE_SERVER_PORT": "0",
            "KASCRIBE_GATEWAY_ENRICHMENT": str(Role.ENRICHER in self._plan.roles).lower(),
        }
        for role in self._plan.roles:
            self._children.start(role, environment, logs / f"{role}.log")

    def _watch_folder(self, stop: threading.Event) -> None:
        directory = self._plan.drop_directory
        debouncer = drop_folder.Debouncer(lambda file: self._keeper.is_kept(_dropped_in(directory, file)))
        try:
            drop_folder.follow(directory, debouncer=debouncer, submit=self._submit, stop=stop, clock=self._clock)
        except Exception as error:  # noqa: BLE001 - it ends the thread; the board is the only place to report it
            self._board.announce(f"{directory} is not watched any more, the rest goes on: {error!r}")

    def _submit(self, file: Fingerprint) -> None:
        dropped = _dropped_in(self._plan.drop_directory, file)
        key = f"drop:{uuid.uuid4().hex}"
        # Registered before the submission: the transcript may come before the submitter has returned.
        self._keeper.expect(job_id(key), dropped)
        try:
            job = self._submitter.submit(str(file.path), SubmissionRequest(idempotency_key=key), name=dropped.name)
        except (KascribeError, OSError) as error:
            self._board.not_submitted(dropped.name, str(error))
            return
        self._board.submitted(job.job_id, job.name)

    def _recover(self) -> None:
        settings = load().settings
        try:
            with closing(Publisher(settings.kafka, client_id="kascribe-recovery")) as publisher:
                done = self._recovery.run(self._before, publisher, is_enriching=Role.ENRICHER in self._plan.roles)
        except Exception as error:  # noqa: BLE001 - it ends the thread; the board is the only place to report it
            self._board.announce(f"what the last run did not finish stays as it is: {error}")
            return
        if done.republished:
            self._board.announce(f"{done.republished} jobs that the last run did not finish have begun again")

    def _on_event(self, event: JobEvent) -> None:
        self._keep(event)
        self._board.show(event)

    def _keep(self, event: JobEvent) -> None:
        try:
            if isinstance(event, TranscriptEvent):
                self._keeper.keep_transcript(event)
            elif isinstance(event, EnrichmentEvent):
                self._keeper.keep_enrichment(event)
            elif isinstance(event, ProgressEvent):
                self._recovery.on_progress(event)
        except (KascribeError, OSError) as error:
            self._board.announce(f"job {event.job_id} could not be kept on disk: {error}")


def topic_names(settings: Settings) -> tuple[str, ...]:
    """Return every topic that the stack's consumers subscribe to or write to."""
    topics = Topics(settings.kafka.topic_prefix)
    inputs = (topics.references, topics.objects, topics.transcripts, topics.enrich_requests)
    names = topics_used_by(topics, inputs, settings.runtime.retry_delays_seconds)
    deliveries = topics_used_by(topics, (topics.webhooks,), settings.webhooks.retry_delays_seconds)
    return tuple(dict.fromkeys((*names, *deliveries)))


def forget_kept(directory: Path) -> None:
    """Remove what stacks kept in this state directory. None may run. Safe to repeat; raises OSError."""
    for name in (OBJECTS, ARCHIVE):
        if (directory / name).exists():
            shutil.rmtree(directory / name)


def _dropped_in(directory: Path, file: Fingerprint) -> Dropped:
    return Dropped(readable(file.path.relative_to(directory).as_posix()), file.changed_ns)
