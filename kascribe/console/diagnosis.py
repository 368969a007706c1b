"""The rows of ``kascribe doctor`` on a terminal: a table with remedies that fits 80 columns."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kascribe.operations.doctor.findings import Finding, State

NAME_COLUMNS: Final = 20
STATE_COLUMNS: Final = 7
_STYLES: Final[Mapping[State, str]] = {
    State.OK: "green",
    State.WARNING: "yellow",
    State.FAILED: "bold red",
    State.SKIPPED: "dim",
}
REMEDY: Final = "→ "


def print_area(console: Console, area: str, findings: Sequence[Finding]) -> None:
    """Print the rows of one area below its name."""
    console.print(Text(area, "bold"))
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(width=STATE_COLUMNS, no_wrap=True)
    table.add_column(width=NAME_COLUMNS, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for each in findings:
        found = Text(each.found, "dim" if each.state is State.SKIPPED else "")
        if each.remedy:
            found.append(f"\n{REMEDY}{each.remedy}", "cyan")
        table.add_row("", Text(each.state, _STYLES[each.state]), each.name, found)
    console.print(table)


def print_summary(console: Console, findings: Sequence[Finding], *, seconds: float) -> None:
    """Print how many rows there are of each state."""
    counts = {state: sum(each.state is state for each in findings) for state in State}
    parts = [(f"{count} {state}", _STYLES[state]) for state, count in counts.items() if count]
    line = Text(", ").join(Text(text, style) for text, style in parts)
    console.print(Text.assemble("\n", line, (f"  ({seconds:.1f} s)", "dim")))
