"""Measured trees side by side, for a terminal of 100 columns, and the places behind the numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Table

from tests.structure.measures import Row, Section

ABSENT: Final = "-"
BROKEN: Final = "!"

Trees = Mapping[str, Sequence[Section]]
"""By name, what was measured of each tree. All have the same sections."""


def table(trees: Trees) -> Table:
    """Lay out one column for each tree. A value over its limit ends with ``!``."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("measure")
    for name in trees:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("limit", justify="right", no_wrap=True)
    for label, rows in _lines(trees):
        limit = next((row.limit for row in rows if row), "")
        made.add_row(label, *(_value(row) for row in rows), limit)
    return made


def listing(sections: Iterable[Section]) -> Iterator[str]:
    """Write the places behind each number, one a line, under the number's label."""
    for section in sections:
        for row in (section.head, *section.parts):
            if row.findings:
                label = row.label if row is section.head else f"{section.head.label}, {row.label}"
                yield f"{label}: {row.value}"
                yield from (f"  {finding}" for finding in row.findings)
                yield ""


def broken(sections: Iterable[Section]) -> list[Row]:
    """List the rows over their limits."""
    return [row for section in sections for row in (section.head, *section.parts) if row.is_broken]


def _lines(trees: Trees) -> Iterator[tuple[str, list[Row | None]]]:
    for beside in zip(*trees.values(), strict=True):
        yield beside[0].head.label, [section.head for section in beside]
        by_label = [{part.label: part for part in section.parts} for section in beside]
        shown = {part.label: None for section in beside for part in section.parts if part.is_shown}
        for label in shown:
            yield f"  {label}", [parts.get(label) for parts in by_label]


def _value(row: Row | None) -> str:
    if row is None:
        return ABSENT
    return f"{row.value} {BROKEN}" if row.is_broken else row.value
