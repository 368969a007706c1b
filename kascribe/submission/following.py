"""The jobs of one submission until each has ended, from the topics and from the bucket."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from typing import Final

from kascribe.console.board import Board
from kascribe.console.following import JobFeed
from kascribe.console.job_lines import Tracker
from kascribe.submission.finished import PastResults
from kascribe.submission.sending import Sent
from schemas.clock import Clock
from schemas.events import JobEvent, TranscriptEvent

POLL_SECONDS: Final = 2.0
"""Between reads of the bucket for open jobs: their answers may have been published before."""

POLLED_JOBS: Final = 20
"""Most jobs that are read at once; all take their turns."""


@dataclass
class Followed:
    """The submitted jobs, their events, and which are still open or have failed."""

    sent: Sequence[Sent]
    is_enriched: bool
    events: dict[str, list[JobEvent]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        jobs = [each.job for each in self.sent if each.job]
        self.names = {job.job_id: job.name for job in jobs}
        references = frozenset(job.reference_event_id for job in jobs)
        self.tracker = Tracker(set(self.names), enriched=self.is_enriched, references=references)

    def take(self, event: JobEvent) -> bool:
        """Apply an event; return False for an event of another job."""
        is_ours = self.tracker.take(event)
        if is_ours:
            self.events[event.job_id].append(event)
        return is_ours


def follow(
    followed: Followed,
    feed: JobFeed,
    past: PastResults,
    board: Board,
    *,
    clock: Clock,
    on_ended: Callable[[str], None],
) -> None:
    """Show the jobs until each has ended. Blocks. ``on_ended`` is called with the id of each job that has."""
    tracker = followed.tracker
    if not tracker.open:
        return
    for event in answers(feed.events(), tracker.open, past, clock=clock):
        if event is not None and followed.take(event):
            board.show(event)
            if event.job_id not in tracker.open:
                on_ended(event.job_id)
            elif isinstance(event, TranscriptEvent):
                board.announce(f"{followed.names[event.job_id]}: transcribed; waiting for the enricher")
        if not tracker.open:
            return


def answers(
    events: Iterator[JobEvent | None], open_jobs: set[str], past: PastResults, *, clock: Clock
) -> Iterator[JobEvent | None]:
    """Yield the feed's events, and the answers of open jobs in the bucket.

    Another record may have done a job before the feed was opened, or do it for ours. The bucket is polled even
    while the feed is busy with other jobs; no answer is yielded twice.
    """
    polled_at = clock.monotonic()
    found: set[str] = set()
    turns = cycle(sorted(open_jobs))
    for event in events:
        if isinstance(event, TranscriptEvent) and event.job_id in open_jobs:
            past.check(event)
        yield event
        if clock.monotonic() - polled_at > POLL_SECONDS:
            polled_at = clock.monotonic()
            turn = {job for job in islice(turns, POLLED_JOBS) if job in open_jobs}
            for answer in chain.from_iterable(map(past.events, sorted(turn))):
                if answer.event_id not in found:
                    found.add(answer.event_id)
                    yield answer
