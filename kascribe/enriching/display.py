"""The progress of a run on standard error, and its summary."""

from dataclasses import asdict
from typing import Any, Final

from rich.progress import BarColumn, TaskID, TextColumn

from kascribe.console.terminal import bars, notify, one_line
from kascribe.enriching.candidates import Tally
from schemas.clock import Clock

PLAIN_SECONDS: Final = 10.0
"""Between two lines where standard error is no terminal."""

BAR_COLUMNS: Final = 10
LISTED_FAILURES: Final = 20
MESSAGE_CHARACTERS: Final = 200


class RunDisplay:
    """One line that is drawn again on a terminal; elsewhere a line every PLAIN_SECONDS. Not thread-safe."""

    def __init__(self, tally: Tally, *, clock: Clock) -> None:
        self._tally = tally
        self._clock = clock
        self._bars = bars(BarColumn(bar_width=BAR_COLUMNS), TextColumn("{task.description}"))
        self._task: TaskID = self._bars.add_task("", total=max(1, tally.total))
        self._printed_at = clock.monotonic()

    def start(self) -> None:
        """Start drawing."""
        self._bars.start()

    def update(self) -> None:
        """Show the counts as they are now."""
        self._bars.update(self._task, completed=self._tally.read, description=counts(self._tally))
        if self._bars.disable and self._clock.monotonic() - self._printed_at >= PLAIN_SECONDS:
            self._printed_at = self._clock.monotonic()
            notify(counts(self._tally))

    def tell(self, sentence: str) -> None:
        """Print a sentence above the line."""
        self._bars.console.print(sentence, soft_wrap=True)

    def stop(self) -> None:
        """Remove the line. Safe to repeat."""
        self._bars.stop()


def counts(tally: Tally) -> str:
    """Return the counts of a run in progress, within 70 columns up to 99,999 transcripts."""
    return (
        f"{tally.read}/{tally.total} read, {tally.enriched} enriched, {tally.enriched_already} before, "
        f"{tally.failed} failed, {tally.in_flight} open"
    )


def sentences(tally: Tally) -> list[str]:
    """Return the summary for people: the counts, then the failures with their reasons."""
    parts = [f"{tally.enriched} enriched", f"{tally.enriched_already} enriched already", f"{tally.failed} failed"]
    rare = {
        "cancelled": tally.cancelled,
        "left out": tally.left_out,
        "unreadable": tally.unreadable,
        "with the enricher": tally.in_flight,
    }
    parts += [f"{count} {name}" for name, count in rare.items() if count]
    lines = [f"{tally.read} transcripts read: {', '.join(parts)}"]
    lines += [
        f"job {failed.job_id}: {failed.reason}: {one_line(failed.message[:MESSAGE_CHARACTERS])}"
        for failed in tally.failures[:LISTED_FAILURES]
    ]
    if tally.failed > LISTED_FAILURES:
        lines.append(f"and {tally.failed - LISTED_FAILURES} more: `kascribe dlq list` shows each with its reason")
    return lines


def as_document(tally: Tally) -> dict[str, Any]:
    """Return the summary for programs."""
    return asdict(tally)
