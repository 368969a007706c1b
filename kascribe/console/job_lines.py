"""The jobs that a user follows: the state of each, their counts, and the selection to show."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from schemas.errors import Reason
from schemas.events import (
    FINAL_PHASES,
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
"""Most failures in the table: active jobs take the other lines, and ended ones those that are left."""

REMEMBERED_JOBS: Final = 1_000
"""Most ended jobs with a line. Earlier ones are counted and no longer shown."""

PREVIEW_CHARACTERS: Final = 200


class LocalPhase(StrEnum):
    """The phase of a job before its reference is on a topic."""

    UPLOADING = "uploading"
    NOT_SUBMITTED = "not submitted"


DONE: Final[frozenset[Phase | LocalPhase]] = frozenset({Phase.COMPLETED})
CANCELLED: Final[frozenset[Phase | LocalPhase]] = frozenset({Phase.CANCELLED})
FAILED: Final[frozenset[Phase | LocalPhase]] = frozenset({Phase.FAILED, LocalPhase.NOT_SUBMITTED})


@dataclass(frozen=True, slots=True)
class JobLine:
    """The state of one job, as it is shown."""

    name: str
    phase: Phase | LocalPhase = Phase.ACCEPTED
    fraction: float = 0.0
    note: str = ""
    reason: Reason | None = None
    flags: tuple[QualityFlag, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether no further event of the job is expected."""
        return self.phase in FINAL_PHASES or self.phase in FAILED


def after_progress(line: JobLine, event: ProgressEvent) -> JobLine:
    """Return the line after a progress event. Late progress does not reopen a finished job."""
    if line.has_ended:
        return line
    fraction = 1.0 if event.phase is Phase.COMPLETED else event.fraction or line.fraction
    if event.failure:
        note = event.failure.message.strip()
        return replace(line, phase=event.phase, fraction=fraction, note=note, reason=event.failure.reason)
    note = (event.text or line.note).strip()[-PREVIEW_CHARACTERS:]
    return replace(line, phase=event.phase, fraction=fraction, note=note)


def after_transcript(line: JobLine, event: TranscriptEvent) -> JobLine:
    """Return the line of a job that is done."""
    if event.status.value == "no_speech":
        note = "(no speech)"
    else:
        note = (event.text or f"{event.segment_count} segments")[:PREVIEW_CHARACTERS]
    flags = caveats(event.flags)
    return replace(line, phase=Phase.COMPLETED, fraction=1.0, note=_flagged(note.strip(), flags), flags=flags)


def after_enrichment(line: JobLine, event: EnrichmentEvent) -> JobLine:
    """Return the line of a job after its enrichment."""
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
    """The jobs of a submission that are still open. A job to be enriched is open until it is enriched.

    ``references`` are the ids of our references: the failure of another one is not ours.
    """

    open: set[str]
    enriched: bool
    references: frozenset[str] = frozenset()
    failed: set[str] = field(default_factory=set)

    def take(self, event: JobEvent) -> bool:
        """Apply an event; return False for an event of another job."""
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
    """The jobs of one session by id, in the order of their first event, and the number of all jobs."""

    expected: int = 0
    _lines: dict[str, JobLine] = field(default_factory=dict)
    _forgotten: Counter[Phase | LocalPhase] = field(default_factory=Counter)

    def get(self, job_id: str, name: str) -> JobLine:
        """Return the job's line; a new one for an unknown job."""
        return self._lines.get(job_id, JobLine(name))

    def put(self, job_id: str, line: JobLine) -> None:
        """Set a job's line. A job that ends moves behind all others that have ended."""
        before = self._lines.get(job_id)
        if line.has_ended and not (before and before.has_ended):
            self._lines.pop(job_id, None)
        self._lines[job_id] = line
        self._forget()

    def counts(self) -> str:
        """Return ``57 of 61 done, 1 failed``; failed and cancelled jobs are not among the done ones."""
        phases = self._forgotten + Counter(line.phase for line in self._lines.values())
        kinds: tuple[frozenset[Phase | LocalPhase], ...] = (DONE, FAILED, CANCELLED)
        done, failed, cancelled = (sum(phases[phase] for phase in kind) for kind in kinds)
        counted = f"{done} of {max(self.expected, phases.total())} done"
        counted += f", {failed} failed" if failed else ""
        return counted + (f", {cancelled} cancelled" if cancelled else "")

    def failures(self) -> list[JobLine]:
        """Return the jobs that failed, the earliest first."""
        return [line for line in self._lines.values() if line.phase in FAILED]

    def flagged(self) -> list[JobLine]:
        """Return the done jobs with flags (words may be missing), the earliest first."""
        return [line for line in self._lines.values() if line.flags]

    def shown(self, limit: int) -> list[JobLine]:
        """Return ``limit`` lines: the last failures, active jobs, then the last that ended, flagged ones first."""
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
