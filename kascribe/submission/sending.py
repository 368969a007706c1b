"""Submission of many sources at once: each is looked up, uploaded and published, and fails for itself."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kascribe.console.board import Board
from kascribe.sources.arguments import Source
from kascribe.submission.finished import FinalEvent, PastResults
from kascribe.submission.submitter import SubmissionRequest, SubmittedJob, Submitter
from schemas.errors import AudioNotFound, JobCancelled, JobError, PermanentError, Reason

AT_ONCE: Final = 4
"""Sources in flight. Each holds at most four parts of an upload in memory."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one source: a published job, the events of a job that was finished before, or a failure."""

    source: Source
    job: SubmittedJob | None = None
    past: Sequence[FinalEvent] = ()
    problem: str = ""
    reason: Reason | None = None

    @property
    def job_id(self) -> str | None:
        """The id of the source's job; None when it has none."""
        if self.job:
            return self.job.job_id
        return self.past[0].job_id if self.past else None


class Sender:
    """Submits the sources of one command. ``content`` identifies the bytes of a source."""

    def __init__(
        self,
        submitter: Submitter,
        past: PastResults,
        board: Board,
        content: Callable[[Source], str | None],
    ) -> None:
        self._submitter = submitter
        self._past = past
        self._board = board
        self._content = content
        self.sent: list[Sent] = []
        self._stopped = threading.Event()

    def send(self, sources: Iterable[Source], request: SubmissionRequest) -> None:
        """Submit the sources; what became of each is in ``sent``, in the order of their ends. Blocks.

        Interrupted, it gives up what is being uploaded; what is published stays, and is in ``sent``. Raises
        DependencyDown and NotDelivered, and what ``PastResults`` raises; then the others have ended too.
        """
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="submit") as threads:
            futures = [threads.submit(self._send, source, request) for source in sources]
            try:
                for future in as_completed(futures):
                    future.result()
            finally:
                self._stopped.set()
                for future in futures:
                    future.cancel()

    def _send(self, source: Source, request: SubmissionRequest) -> None:
        self._give_up_if_stopped()
        try:
            content = self._content(source)
            identified = request.identified(source, content)
            self.sent.append(self._found(source, identified) or self._submit(source, identified, content))
        except (OSError, PermanentError, AudioNotFound) as error:
            problem = _readable_problem(error)
            reason = error.reason if isinstance(error, JobError) else None
            self._board.not_submitted(source.name, problem, reason)
            self.sent.append(Sent(source, problem=problem, reason=reason))

    def _found(self, source: Source, request: SubmissionRequest) -> Sent | None:
        """Show the job if it is finished already."""
        key = request.idempotency_key
        past = self._past.complete_events(key) if key else []
        if not past:
            return None
        self._board.uploaded(size_bytes_of(source))
        self._board.announce(f"{source.name}: job {past[0].job_id} is finished already")
        for event in past:
            self._board.show(event)
        return Sent(source, past=past)

    def _submit(self, source: Source, request: SubmissionRequest, content: str | None) -> Sent:
        job = self._submitter.submit(
            source.location,
            request,
            name=source.name,
            content=None if source.is_object else content,
            on_bytes=self._upload_shown(source),
        )
        self._board.announce(f"{job.name}: job {job.job_id}")
        self._board.submitted(job.job_id, job.name)
        return Sent(source, job)

    def _upload_shown(self, source: Source) -> Callable[[int], None]:
        """Show the progress of an upload on the board; return its callback for further bytes."""
        total_bytes, done_bytes = size_bytes_of(source), 0

        def on_bytes(more_bytes: int) -> None:
            nonlocal done_bytes
            self._give_up_if_stopped()
            done_bytes += more_bytes
            self._board.uploaded(more_bytes)
            self._board.uploading(source.name, done_bytes / total_bytes if total_bytes else 0.0)

        if not source.is_object:
            on_bytes(0)
        return on_bytes

    def _give_up_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise JobCancelled("the command ends")


def size_bytes_of(source: Source) -> int:
    """Return the size of a file; 0 for an object, which is not uploaded, and for a file that is gone."""
    try:
        return 0 if source.is_object else Path(source.location).stat().st_size
    except OSError:
        return 0


def _readable_problem(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "permission denied: let this user read it (`chmod u+r`), or run the command as its owner"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return str(error)
