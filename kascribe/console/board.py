"""The display of jobs: a live table on a terminal, plain lines anywhere else."""

import sys
import threading
from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kascribe.console.job_lines import (
    CANCELLED,
    DONE,
    FAILED,
    JobLine,
    JobLines,
    LocalPhase,
    after_enrichment,
    after_progress,
    after_transcript,
)
from kascribe.console.terminal import one_line
from schemas.errors import Reason
from schemas.events import EnrichmentEvent, JobEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.reasons import REASON_TEXTS
from schemas.transcripts.caveats import SENTENCES

VISIBLE_JOBS: Final = 12
FRAME_LINES: Final = 4
"""Lines of the screen kept free: an empty line, the counts, the cursor, and names that fold early."""

LISTED_FAILURES: Final = 20
"""Most failures listed at the end, and most transcripts with warnings about their sound."""

REFRESHES_PER_SECOND: Final = 8
BYTES_PER_MEGABYTE: Final = 1_000_000

STYLES: Final[dict[str, str]] = {
    **dict.fromkeys(DONE, "green"),
    **dict.fromkeys(FAILED, "red"),
    **dict.fromkeys(CANCELLED, "yellow"),
}
PHASE_COLUMNS: Final = max(len(phase) for phase in (*Phase, *LocalPhase))
BAR_COLUMNS: Final = 14
GAP_COLUMNS: Final = 2
BARS_FROM_COLUMNS: Final = 60
"""Narrower terminals have no bars, so that names and texts have room."""

NAME_COLUMNS_LEAST: Final = 12
NOTE_COLUMNS_LEAST: Final = 16


class Board:
    """The jobs of one session. Thread-safe.

    The table is drawn on ``out`` if that is a terminal, otherwise on ``beside`` if that is one. An ``out`` without
    a table gets one line per change. A quiet board prints only what failed, at the end.
    """

    def __init__(self, out: Console, *, beside: Console | None = None, is_quiet: bool = False) -> None:
        self._out = out
        self._is_quiet = is_quiet
        self._jobs = JobLines()
        self._uploads: dict[str, JobLine] = {}
        self._uploaded_bytes = self._upload_bytes = 0
        self._printed: dict[str, JobLine] = {}
        self._lock = threading.Lock()
        screens = () if is_quiet else (out, beside)
        self._screen = next((each for each in screens if each and each.is_terminal), None)
        self._live = self._make_live(self._screen) if self._screen else None

    def _make_live(self, screen: Console) -> Live:
        return Live(
            console=screen,
            get_renderable=lambda: self._frame(screen),
            refresh_per_second=REFRESHES_PER_SECOND,
            redirect_stdout=False,
            # The table would overwrite the output of libraries; redirected to a file, it is written unchanged.
            redirect_stderr=sys.stderr.isatty(),
        )

    def start(self) -> None:
        """Start drawing. Safe to repeat."""
        if self._live:
            self._live.start()

    def stop(self) -> None:
        """Leave the last table on the screen, and list failures and warnings with what to do about them."""
        if self._live:
            self._live.stop()
        with self._lock:
            failures, flagged, counts = self._jobs.failures(), self._jobs.flagged(), self._jobs.counts()
        if failures or flagged:
            for sentence in (counts, *_listed(failures), *_listed_flagged(flagged)):
                self._announce(sentence)

    def expect(self, jobs: int, upload_bytes: int = 0) -> None:
        """Set how many jobs, and bytes to upload, there will be in all."""
        self._jobs.expected = jobs
        self._upload_bytes = upload_bytes

    def announce(self, sentence: str) -> None:
        """Print a sentence for the user, above the table."""
        if not self._is_quiet:
            self._announce(sentence)

    def _announce(self, sentence: str) -> None:
        for console in {self._out, self._screen} - {None}:
            _print(console, sentence)

    def uploading(self, name: str, fraction: float = 0.0) -> None:
        """Show a file that is being uploaded, until it is submitted."""
        with self._lock:
            self._uploads[name] = JobLine(name, LocalPhase.UPLOADING, fraction)

    def uploaded(self, more_bytes: int) -> None:
        """Count further bytes of the files to upload that are in the bucket."""
        with self._lock:
            self._uploaded_bytes += more_bytes

    def submitted(self, job_id: str, name: str) -> None:
        """Show a job before its first event."""
        with self._lock:
            self._uploads.pop(name, None)
            self._jobs.put(job_id, self._jobs.get(job_id, name))
        self._print_change(job_id)

    def not_submitted(self, name: str, why: str, reason: Reason | None = None) -> None:
        """Count a file among the failures."""
        line = JobLine(name, LocalPhase.NOT_SUBMITTED, note=why, reason=reason)
        with self._lock:
            self._uploads.pop(name, None)
            self._jobs.put(f"not submitted: {name}", line)
        self.announce(f"{name} was not submitted: {why}")

    def show(self, event: JobEvent) -> None:
        """Update the job of an event."""
        with self._lock:
            line = self._jobs.get(event.job_id, event.metadata.get("name", event.job_id[:8]))
        is_printable = True
        if isinstance(event, ProgressEvent):
            # The text comes in an event of its own, before or after this one: topics have no order among them.
            line, is_printable = after_progress(line, event), event.phase is not Phase.COMPLETED
        elif isinstance(event, TranscriptEvent):
            line = after_transcript(line, event)
        elif isinstance(event, EnrichmentEvent):
            line = after_enrichment(line, event)
        with self._lock:
            self._jobs.put(event.job_id, line)
        if is_printable:
            self._print_change(event.job_id)

    def _frame(self, screen: Console) -> Group:
        with self._lock:
            lines = [*self._uploads.values(), *self._jobs.shown(VISIBLE_JOBS)]
            counts = self._jobs.counts() + self._upload_counts()
        # The counts come first: rich cuts off the end of a frame that is higher than the screen.
        return Group("", Text(counts if lines else ""), _table(lines, screen.width, screen.height - FRAME_LINES))

    def _upload_counts(self) -> str:
        if self._uploaded_bytes >= self._upload_bytes:
            return ""
        done, total = (size / BYTES_PER_MEGABYTE for size in (self._uploaded_bytes, self._upload_bytes))
        return f", {done:,.1f} of {total:,.1f} MB uploaded"

    def _print_change(self, job_id: str) -> None:
        if self._screen is self._out or self._is_quiet:
            return
        with self._lock:
            line, printed = self._jobs.get(job_id, job_id), self._printed.get(job_id)
            self._printed[job_id] = line
        if _is_news(printed, line):
            note = f"  {line.note}" if line.note else ""
            _print(self._out, f"{line.name}: {line.phase.value}{note}")


def _print(console: Console | None, sentence: str) -> None:
    if console:
        console.print(one_line(sentence), markup=False, highlight=False, soft_wrap=True)


def _is_news(printed: JobLine | None, line: JobLine) -> bool:
    """Return whether to print this change in plain-line mode; interim text is printed once."""
    if printed is None or printed.phase != line.phase:
        return True
    return line.phase is Phase.COMPLETED and printed.note != line.note


def _listed(failures: list[JobLine]) -> Iterable[str]:
    for line in failures[:LISTED_FAILURES]:
        reason = f"{line.reason.value}: " if line.reason else ""
        yield f"  {line.name}: {reason}{line.note}"
        if line.reason:
            yield f"    {REASON_TEXTS[line.reason].remedy}"
    if len(failures) > LISTED_FAILURES:
        yield f"  and {len(failures) - LISTED_FAILURES} more: `kascribe dlq list` names them"


def _listed_flagged(flagged: list[JobLine]) -> Iterable[str]:
    for line in flagged[:LISTED_FAILURES]:
        for flag in line.flags:
            yield f"  {line.name}: {flag.value}: {SENTENCES[flag]}"
    if len(flagged) > LISTED_FAILURES:
        yield f"  and {len(flagged) - LISTED_FAILURES} more: `kascribe show JOB` says so of each"


def _table(lines: list[JobLine], columns: int, height: int) -> Table:
    """Return a table of as many jobs as fit into the height. Long names are folded, never cut."""
    longest = max((cell_len(one_line(line.name)) for line in lines), default=0)
    has_bars = columns >= BARS_FROM_COLUMNS
    left = columns - PHASE_COLUMNS - 2 * GAP_COLUMNS - (BAR_COLUMNS + GAP_COLUMNS if has_bars else 0)
    name_columns = max(NAME_COLUMNS_LEAST, min(longest, left - NOTE_COLUMNS_LEAST))
    table = Table.grid(padding=(0, GAP_COLUMNS, 0, 0))
    table.add_column(width=name_columns, overflow="fold")
    table.add_column(width=PHASE_COLUMNS)
    if has_bars:
        table.add_column(width=BAR_COLUMNS)
    table.add_column(width=max(1, left - name_columns), no_wrap=True, overflow="ellipsis")
    for line in lines:
        height -= -(-cell_len(one_line(line.name)) // name_columns)
        if height < 0:
            break
        phase = Text(line.phase.value, style=STYLES.get(line.phase, "cyan"))
        bar = ProgressBar(total=1.0, completed=line.fraction, width=BAR_COLUMNS)
        cells = (phase, bar) if has_bars else (phase,)
        table.add_row(Text(one_line(line.name)), *cells, Text(one_line(line.note)))
    return table
