"""What the progress events of one job say, folded one by one. Pure.

All progress events of a job are in one partition, so their order is that of their offsets. Interim events and
final ones are published by different clients, so an interim event may follow the final one of its attempt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from schemas.errors import Reason
from schemas.events import FINAL_PHASES, Phase, ProgressEvent
from schemas.roles import Role
from schemas.transcripts.joining import join_texts

SKEW: Final = timedelta(seconds=10)
"""Most by which the clocks of two machines are taken to differ."""

TEXT_LIMIT_CHARACTERS: Final = 1_000_000
"""Of one running job: a day of speech. Text beyond it is in the transcript only."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of one job, as far as its events were seen.

    ``last`` has the deciding event of each stage, without its text. ``is_whole``: ``text`` begins where the
    current attempt began, so no earlier event can change anything.
    """

    first_at: datetime
    last: Mapping[str, ProgressEvent] = field(default_factory=dict)
    text: str = ""
    is_whole: bool = False

    @property
    def latest(self) -> ProgressEvent:
        """The latest of the deciding events."""
        return max(self.last.values(), key=lambda event: event.occurred_at)

    @property
    def transcriber(self) -> ProgressEvent | None:
        """The transcriber's deciding event."""
        return self.last.get(Role.TRANSCRIBER)

    @property
    def enricher(self) -> ProgressEvent | None:
        """The enricher's deciding event."""
        return self.last.get(Role.ENRICHER)


def add_event(progress: JobProgress | None, event: ProgressEvent) -> JobProgress:
    """Return the progress with the next event of the job."""
    before = progress or JobProgress(first_at=event.occurred_at)
    last = before.last.get(event.stage)
    if progress is not None and not _decides(last, event, is_known=bool(before.last)):
        return before
    # Copying an event costs more than all the rest, and few have a text.
    without_text = event if event.text is None else event.model_copy(update={"text": None})
    decided = MappingProxyType({**before.last, event.stage: without_text})
    if event.stage != Role.TRANSCRIBER:
        return replace(before, last=decided)
    if event.phase in (Phase.ACCEPTED, Phase.RETRYING) or event.text_offset == 0:
        return replace(before, last=decided, text=event.text or "", is_whole=True)
    if not event.text:
        return replace(before, last=decided)
    joined = join_texts((before.text, event.text))
    return replace(before, last=decided, text=joined[:TEXT_LIMIT_CHARACTERS])


def fold(events: Iterable[ProgressEvent]) -> JobProgress | None:
    """Return the progress that events in their order tell; None without events."""
    progress = None
    for event in events:
        progress = add_event(progress, event)
    return progress


def precede(earlier: JobProgress | None, later: JobProgress | None) -> JobProgress | None:
    """Return the progress of a job from two parts of its events."""
    if earlier is None or later is None:
        return replace(later, is_whole=True) if later else earlier and replace(earlier, is_whole=True)
    text = later.text if later.is_whole else join_texts((earlier.text, later.text))[:TEXT_LIMIT_CHARACTERS]
    last = MappingProxyType({**earlier.last, **later.last})
    return JobProgress(earlier.first_at, last, text, is_whole=True)


def is_key_reused(event: ProgressEvent) -> bool:
    """Return whether a reference failed because its key names another job: the job itself is not concerned."""
    return event.failure is not None and event.failure.reason is Reason.KEY_REUSED


def _decides(last: ProgressEvent | None, event: ProgressEvent, *, is_known: bool) -> bool:
    """Return whether an event says how its job stands now.

    One reference may end while the job continues for another: that end decides nothing.
    """
    if is_key_reused(event):
        return not is_known
    if last is None or is_key_reused(last):
        return True
    is_same = event.reference_event_id == last.reference_event_id
    if last.phase in FINAL_PHASES:
        # An interim event that was overtaken by the end of its attempt is no new attempt.
        return event.phase in FINAL_PHASES or not is_same or event.occurred_at > last.occurred_at
    return is_same or event.phase not in (Phase.FAILED, Phase.CANCELLED)
