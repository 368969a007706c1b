"""The report of a submission: lines of JSON, and what goes on without the command."""

from collections.abc import Sequence
from typing import Final

from kascribe.console.board import Board
from kascribe.console.terminal import write_json
from kascribe.submission.following import Followed
from kascribe.submission.rows import job_row
from kascribe.submission.sending import Sent

LISTED_JOBS: Final = 20
"""Most jobs that are named when the command is interrupted."""


class Report:
    """Lines of JSON as jobs end, and what to do about those that are open when the command is interrupted."""

    def __init__(self, board: Board, sent: Sequence[Sent], *, as_json: bool, follows: bool) -> None:
        self._as_json = as_json
        self._follows = follows
        self._board = board
        self._sent = sent
        self._followed: Followed | None = None
        self._written: set[int] = set()

    def on_sent(self, followed: Followed) -> None:
        """Write what is known once everything is submitted."""
        self._followed = followed
        for sent in self._sent:
            if sent.job is None or not self._follows:
                self._write(sent)

    def on_ended(self, job_id: str) -> None:
        """Write the sources of a job that has ended."""
        for sent in self._sent:
            if sent.job and sent.job.job_id == job_id:
                self._write(sent)

    def on_interrupted(self, wanted: int) -> None:
        """Say which jobs go on without this command."""
        is_open = self._followed.tracker.open if self._followed else None
        going_on = [
            sent.job for sent in self._sent if sent.job and (is_open is None or sent.job.job_id in is_open)
        ]
        for sent in self._sent:
            self._write(sent)
        for job in going_on[:LISTED_JOBS]:
            self._board.announce(
                f"{job.name} goes on: `kascribe show {job.job_id}` prints its transcript once it is there"
            )
        if len(going_on) > LISTED_JOBS:
            self._board.announce(f"{len(going_on) - LISTED_JOBS} more go on: `kascribe watch` shows them")
        if len(self._sent) < wanted:
            self._board.announce(
                f"{wanted - len(self._sent)} of {wanted} are not submitted: the same command submits them, and "
                "uploads nothing twice"
            )

    def _write(self, sent: Sent) -> None:
        if self._as_json and id(sent) not in self._written:
            self._written.add(id(sent))
            events = self._followed.events if self._followed and sent.job else {}
            write_json(job_row(sent, events.get(sent.job.job_id, []) if sent.job else []))
