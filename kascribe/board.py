"""What a person sees of the jobs: a live table on a terminal, plain lines anywhere else."""

import json
import re
import threading
from dataclasses import dataclass, field, replace

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.events import (
    ENDED,
    EnrichmentEvent,
    EnrichmentResult,
    JobEvent,
    Phase,
    ProgressEvent,
    TranscriptEvent,
)

VISIBLE_JOBS = 12
PREVIEW_CHARACTERS = 200
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text without what would steer the terminal: names and transcripts come from anybody."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True, slots=True)
class JobLine:
    """The state of one job, as it is drawn."""

    name: str
    phase: Phase = Phase.ACCEPTED
    fraction: float = 0.0
    note: str = ""


def after_progress(line: JobLine, event: ProgressEvent) -> JobLine:
    """The line after a progress event. What is finished stays so: late progress does not reopen it."""
    if line.phase in ENDED:
        return line
    note = event.failure.message if event.failure else (event.text or line.note)
    fraction = 1.0 if event.phase is Phase.COMPLETED else event.fraction or line.fraction
    return replace(line, phase=event.phase, fraction=fraction, note=note.strip()[-PREVIEW_CHARACTERS:])


def after_transcript(line: JobLine, event: TranscriptEvent) -> JobLine:
    """The line of a job that is done."""
    if event.status.value == "no_speech":
        note = "(no speech)"
    else:
        note = (event.text or f"{event.segment_count} segments")[:PREVIEW_CHARACTERS]
    return replace(line, phase=Phase.COMPLETED, fraction=1.0, note=note.strip())


def after_enrichment(line: JobLine, event: EnrichmentEvent) -> JobLine:
    """The line of a job whose transcript has been enriched."""
    note = "; ".join(_result_note(result) for result in event.results)
    return replace(line, phase=Phase.COMPLETED, fraction=1.0, note=note[:PREVIEW_CHARACTERS])


def _result_note(result: EnrichmentResult) -> str:
    output = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
    return f"{result.profile}: {output or result.status.value}"


@dataclass
class Tracker:
    """Which of some jobs are still open. A job that is to be enriched is open until it is."""

    open: set[str]
    enriched: bool
    failed: set[str] = field(default_factory=set)

    def take(self, event: JobEvent) -> bool:
        """Takes note of an event; False for one of other jobs."""
        if event.job_id not in self.open:
            return False
        if isinstance(event, ProgressEvent) and event.phase in (Phase.FAILED, Phase.CANCELLED):
            self.failed.add(event.job_id)
            self.open.discard(event.job_id)
        last = EnrichmentEvent if self.enriched else TranscriptEvent
        if isinstance(event, last):
            self.open.discard(event.job_id)
        return True


class Board:
    """The jobs of one session, in the order in which they were first seen. Thread-safe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._jobs: dict[str, JobLine] = {}
        self._told: dict[str, JobLine] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def start(self) -> None:
        """Begins to draw."""
        if self._live:
            self._live.start()

    def stop(self) -> None:
        """Leaves the last picture on the screen."""
        if self._live:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """A sentence for the user, above the table."""
        self._print(sentence)

    def submitted(self, job_id: str, name: str) -> None:
        """Names a job before its first event."""
        with self._lock:
            self._jobs.setdefault(job_id, JobLine(name))
        if self._live is None:
            self._tell(job_id)
        else:
            self._draw()

    def show(self, event: JobEvent) -> None:
        """Draws what an event says."""
        line = self._line(event.job_id, event.metadata.get("name", event.job_id[:8]))
        if isinstance(event, ProgressEvent):
            # The text comes by itself, before or after word that it is there: topics have no order among them.
            self._change(event.job_id, after_progress(line, event), is_told=event.phase is not Phase.COMPLETED)
        elif isinstance(event, TranscriptEvent):
            self._change(event.job_id, after_transcript(line, event))
        elif isinstance(event, EnrichmentEvent):
            self._change(event.job_id, after_enrichment(line, event))

    def _line(self, job_id: str, name: str) -> JobLine:
        with self._lock:
            return self._jobs.get(job_id, JobLine(name))

    def _change(self, job_id: str, line: JobLine, *, is_told: bool = True) -> None:
        with self._lock:
            before = self._jobs.get(job_id)
            self._jobs[job_id] = line
        if self._live is None:
            if is_told:
                self._tell(job_id)
        elif line != before:
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            lines = list(self._jobs.values())[-VISIBLE_JOBS:]
        if self._live:
            self._live.update(_table(lines), refresh=True)

    def _tell(self, job_id: str) -> None:
        with self._lock:
            line, told = self._jobs[job_id], self._told.get(job_id)
            self._told[job_id] = line
        if _is_news(told, line):
            note = f"  {line.note}" if line.note else ""
            self._print(f"{line.name}: {line.phase.value}{note}")

    def _print(self, line: str) -> None:
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _is_news(told: JobLine | None, line: JobLine) -> bool:
    """Whether there is more to tell where nothing is drawn over; what is heard on the way is not told twice."""
    if told is None or told.phase != line.phase:
        return True
    return line.phase is Phase.COMPLETED and told.note != line.note


def _table(lines: list[JobLine]) -> Group:
    table = Table.grid(padding=(0, 2))
    for line in lines:
        colour = {Phase.COMPLETED: "green", Phase.FAILED: "red", Phase.CANCELLED: "yellow"}.get(line.phase, "cyan")
        bar = ProgressBar(total=1.0, completed=line.fraction, width=20)
        table.add_row(
            Text(printable(line.name)), Text(line.phase.value, style=colour), bar, Text(printable(line.note))
        )
    return Group("", table)
