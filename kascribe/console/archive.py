"""Jobs, hits and sums of the archive on a terminal."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kascribe.console.terminal import one_line, print_table
from producers.archive.answers import JobSummary, SearchHit, SearchResult, UsageRow
from producers.archive.filters import UsageKey
from schemas.events import Phase

INDENT: Final = 4
_STYLES: Final = {Phase.COMPLETED: "green", Phase.FAILED: "red", Phase.CANCELLED: "yellow"}


def moment(at: datetime) -> str:
    """Return a moment in UTC, as `--from` and `--to` read it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(seconds: float | None) -> str:
    """Return a time within a recording as hh:mm:ss, whole seconds that have passed; empty for None."""
    if seconds is None:
        return ""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{left:02}"


def cell(text: str) -> str:
    """Return a text for one column of a line: without ends of lines and without tabs."""
    return one_line(" ".join(text.split()))


def job_line(job: JobSummary) -> str:
    """Return a job as one line of columns with tabs between."""
    text = job.failure.message if job.failure else job.text_preview or ""
    lasts = clock(job.audio_duration_seconds)
    columns = (job.job_id, moment(job.created_at), job.phase.value, job.language or "", lasts, job.name, text)
    return "\t".join(map(cell, columns))


def result_lines(result: SearchResult) -> Iterator[str]:
    """Yield each hit as one line of columns with tabs between; a recording without hits is one line."""
    job = result.job
    hits = [(clock(hit.start), hit.text) for hit in result.hits] or [("", job.text_preview or "")]
    return ("\t".join(map(cell, (job.job_id, start, job.name, text))) for start, text in hits)


def usage_line(row: UsageRow) -> str:
    """Return a sum as one line of columns with tabs between, times in seconds."""
    seconds = (f"{each:.1f}" for each in (row.audio_seconds, row.speech_seconds, row.processing_seconds))
    return "\t".join((cell(row.key or ""), str(row.jobs), str(row.failed), *seconds))


def print_jobs(console: Console, jobs: Sequence[JobSummary]) -> None:
    """Print each job's id, time and phase in one line, never cut; below it the name, and how its text begins."""
    for job in jobs:
        console.print(_head(job), soft_wrap=True)
        below = Text(cell(job.name), no_wrap=True, overflow="ellipsis")
        if job.text_preview:
            below.append(f"  {cell(job.text_preview)}", "dim")
        console.print(Padding(below, (0, 0, 0, INDENT)))
        if job.failure is not None:
            _print_failure(console, job)


def print_results(console: Console, results: Sequence[SearchResult]) -> None:
    """Print each recording with its hits; the words that were found stand out."""
    for result in results:
        job = result.job
        console.print(_head(job), soft_wrap=True)
        console.print(Padding(Text(cell(job.name), overflow="fold"), (0, 0, 0, INDENT)))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for hit in result.hits:
            table.add_row(Text(clock(hit.start), "cyan"), _highlighted(hit))
        if (more := result.hit_count - len(result.hits)) > 0:
            table.add_row("", Text(f"{more} more: --job {job.job_id}", "dim"))
        console.print(Padding(table, (0, 0, 0, INDENT)))


def print_usage(console: Console, key: UsageKey, rows: Sequence[UsageRow]) -> None:
    """Print sums as a table; times are hours, minutes and seconds."""
    table = Table(box=None, pad_edge=False)
    table.add_column(key.value, no_wrap=True)
    for name in ("jobs", "failed", "audio", "speech", "processing"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        times = (row.audio_seconds, row.speech_seconds, row.processing_seconds)
        table.add_row(cell(row.key or "none"), f"{row.jobs:,}", f"{row.failed:,}", *map(clock, times))
    print_table(console, table)


def _head(job: JobSummary) -> Text:
    parts = (job.job_id, "bold"), f"  {moment(job.created_at)}  ", (job.phase.value, _STYLES.get(job.phase, ""))
    lasts = "  ".join(part for part in (clock(job.audio_duration_seconds), job.language or "") if part)
    return Text.assemble(*parts, f"  {lasts}" if lasts else "")


def _print_failure(console: Console, job: JobSummary) -> None:
    if job.failure is None:
        return
    failure = job.failure
    message = Text.assemble((failure.reason, "red"), f": {cell(failure.message)}", overflow="fold")
    console.print(Padding(message, (0, 0, 0, INDENT)))
    if failure.remedy:
        console.print(Padding(Text(failure.remedy, "dim", overflow="fold"), (0, 0, 0, INDENT)))


def _highlighted(hit: SearchHit) -> Text:
    text = Text(one_line(hit.text))
    if len(text) == len(hit.text):
        for first, after in hit.highlights:
            text.stylize("bold yellow", first, after)
    return text
