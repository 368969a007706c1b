"""The jobs that a person follows: the state of each, how many there are, and which are worth showing."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from schemas.errors import Reason
from schemas.events import (
    ENDED,
    EnrichmentEvent,
    EnrichmentResult,
    JobEvent,
    Phase,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.transcripts.caveats import caveats
from schemas.transcripts.transcript import QualityFlag

VISIBLE_FAILURES: Final = 4
"""Of those that are drawn: jobs at work have the rest, and what is done what they leave."""

REMEMBERED_JOBS: Final = 1_000
"""That have ended. Earlier ones are counted and no longer shown."""

PREVIEW_CHARACTERS: Final = 200


class LocalPhase(StrEnum):
    """Where a job is that no record is about yet."""

    UPLOADING = "uploading"
    NOT_SUBMITTED = "not submitted"


DONE: Final[frozenset[Phase | LocalPhase]] = frozenset({Phase.COMPLETED})
CANCELLED: Final[frozenset[Phase | LocalPhase]] = frozenset({Phase.CANCELLED})
FAILED: Final[frozenset[Phase | LocalPhase]] = frozenset({Phase.FAILED, LocalPhase.NOT_SUBMITTED})


@dataclass(frozen=True, slots=True)
class JobLine:
    """The state of one job, as it is drawn."""

    name: str
    phase: Phase | LocalPhase = Phase.ACCEPTED
    fraction: float = 0.0
    note: str = ""
    reason: Reason | None = None
    flags: tuple[QualityFlag, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is expected of the job."""
        return self.phase in ENDED or self.phase in FAILED


def after_progress(line: JobLine, event: ProgressEvent) -> JobLine:
    """The line after a progress event. What is finished stays so: late progress does not reopen it."""
    if line.has_ended:
        return line
    fraction = 1.0 if event.phase is Phase.COMPLETED else event.fraction or line.fraction
    if event.failure:
        note = event.failure.message.strip()
        return replace(line, phase=event.phase, fraction=fraction, note=note, reason=event.failure.reason)
    note = (event.text or line.note).strip()[-PREVIEW_CHARACTERS:]
    return replace(line, phase=event.phase, fraction=fraction, note=note)


def after_transcript(line: JobLine, event: TranscriptEvent) -> JobLine:
    """The line of a job that is done."""
    if event.status.value == "no_speech":
        note = "(no speech)"
    else:
        note = (event.text or f"{event.segment_count} segments")[:PREVIEW_CHARACTERS]
    flags = caveats(event.flags)
    return replace(line, phase=Phase.COMPLETED, fraction=1.0, note=_flagged(note.strip(), flags), flags=flags)


def after_enrichment(line: JobLine, event: EnrichmentEvent) -> JobLine:
    """The line of a job whose transcript has been enriched."""
    note = "; ".join(_result_note(result) for result in event.results)
    note = _flagged(note[:PREVIEW_CHARACTERS], line.flags)
    return replace(line, phase=Phase.COMPLETED, fraction=1.0, note=note)


def _flagged(note: str, flags: tuple[QualityFlag, ...]) -> str:
    return f"[{', '.join(flags)}] {note}" if flags else note


def _result_note(result: EnrichmentResult) -> str:
    output = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
    return f"{result.profile}: {output or result.status.value}"


@dataclass
class Tracker:
    """Which of some jobs are still open. A job that is to be enriched is open until it is.

    ``references`` are the ids of the references that asked for them: another's failure is not ours.
    """

    open: set[str]
    enriched: bool
    references: frozenset[str] = frozenset()
    failed: set[str] = field(default_factory=set)

    def take(self, event: JobEvent) -> bool:
        """Takes note of an event; False for one of other jobs."""
        if event.job_id not in self.open or (isinstance(event, ProgressEvent) and not self._is_ours(event)):
            return False
        if isinstance(event, ProgressEvent) and event.phase in (Phase.FAILED, Phase.CANCELLED):
            self.failed.add(event.job_id)
            self.open.discard(event.job_id)
        last = EnrichmentEvent if self.enriched else TranscriptEvent
        if isinstance(event, last):
            self.open.discard(event.job_id)
        return True

    def _is_ours(self, event: ProgressEvent) -> bool:
        is_end = event.phase in (Phase.FAILED, Phase.CANCELLED)
        return not is_end or event.reference_event_id in (None, *self.references)


@dataclass
class JobLines:
    """The jobs of one session by id, in the order in which they were first seen, and how many there are in all."""

    expected: int = 0
    _lines: dict[str, JobLine] = field(default_factory=dict)
    _forgotten: Counter[Phase | LocalPhase] = field(default_factory=Counter)

    def get(self, job_id: str, name: str) -> JobLine:
        """The job's line; a new one for a job that is not known."""
        return self._lines.get(job_id, JobLine(name))

    def put(self, job_id: str, line: JobLine) -> None:
        """Changes a job's line. What ends moves behind all others that ended."""
        before = self._lines.get(job_id)
        if line.has_ended and not (before and before.has_ended):
            self._lines.pop(job_id, None)
        self._lines[job_id] = line
        self._forget()

    def counts(self) -> str:
        """``57 of 61 done, 1 failed``; what failed or was cancelled is not among what is done."""
        phases = self._forgotten + Counter(line.phase for line in self._lines.values())
        kinds: tuple[frozenset[Phase | LocalPhase], ...] = (DONE, FAILED, CANCELLED)
        done, failed, cancelled = (sum(phases[phase] for phase in kind) for kind in kinds)
        counted = f"{done} of {max(self.expected, phases.total())} done"
        counted += f", {failed} failed" if failed else ""
        return counted + (f", {cancelled} cancelled" if cancelled else "")

    def failures(self) -> list[JobLine]:
        """The jobs that failed, the first first."""
        return [line for line in self._lines.values() if line.phase in FAILED]

    def flagged(self) -> list[JobLine]:
        """The jobs that are done and whose transcript may lack words, the first first."""
        return [line for line in self._lines.values() if line.flags]

    def shown(self, limit: int) -> list[JobLine]:
        """What there is room for: the last failures, then what is at work, then what ended last, flagged first."""
        lines = list(self._lines.values())
        active = [line for line in lines if not line.has_ended]
        failed = self.failures()[-VISIBLE_FAILURES:]
        ended = [line for line in reversed(lines) if line.has_ended and line.phase not in FAILED]
        ended.sort(key=lambda line: not line.flags)
        return [*failed, *active, *ended][:limit]

    def _forget(self) -> None:
        while len(self._lines) > REMEMBERED_JOBS:
            ended = next((job_id for job_id, line in self._lines.items() if line.has_ended), None)
            if ended is None:
                return
            self._forgotten[self._lines.pop(ended).phase] += 1
