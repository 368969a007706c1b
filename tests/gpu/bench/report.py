"""Rows of the table, as JSON and as Markdown. Imports nothing that has to be installed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

RESULTS: Final = "bench-gpu.json"
TABLE: Final = "bench-gpu.md"


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row of the table.

    ``times_real_time``: seconds of audio in a second. ``busy``: the share of time in which at least one call of
    CTranslate2 ran. ``gpu_utilisation``: the mean share of time in which the card ran a kernel, by nvidia-smi.
    ``first_seconds``: the time until the row could be measured, with loading and compilation. None: not measured;
    ``problem`` then says why.
    """

    row: str
    times_real_time: float | None = None
    windows_per_second: float | None = None
    busy: float | None = None
    calls_under_way: float | None = None
    rows_per_call: float | None = None
    gpu_utilisation: float | None = None
    gpu_mib: int | None = None
    host_mib: int | None = None
    cpu_cores: float | None = None
    first_seconds: float | None = None
    measured_seconds: float | None = None
    problem: str = ""


@dataclass(slots=True)
class Report:
    """All that a run measured. ``facts`` are about machine, model and load."""

    facts: dict[str, Any] = field(default_factory=dict)
    rows: list[RowResult] = field(default_factory=list)

    def save(self, directory: Path) -> None:
        """Write the results so far as JSON. A process killed meanwhile leaves the previous file."""
        path = directory / RESULTS
        fresh = path.with_suffix(".part")
        content = {"facts": self.facts, "rows": [asdict(row) for row in self.rows]}
        fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)

    @classmethod
    def load(cls, directory: Path) -> "Report":
        """Read the results of a run; an empty report when it has saved none."""
        path = directory / RESULTS
        if not path.is_file():
            return cls()
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["facts"], [RowResult(**row) for row in content["rows"]])


_COLUMNS: Final = (
    ("× real time", "times_real_time", "{:,.1f}"),
    ("windows/s", "windows_per_second", "{:,.1f}"),
    ("busy", "busy", "{:.0%}"),
    ("calls under way", "calls_under_way", "{:.2f}"),
    ("rows/call", "rows_per_call", "{:.1f}"),
    ("GPU utilisation", "gpu_utilisation", "{:.0%}"),
    ("GPU MiB", "gpu_mib", "{:,}"),
    ("host MiB", "host_mib", "{:,}"),
    ("CPU cores", "cpu_cores", "{:.1f}"),
    ("first s", "first_seconds", "{:.1f}"),
    ("measured s", "measured_seconds", "{:.1f}"),
)


def markdown(report: Report) -> str:
    """Render facts, table and ratios."""
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in report.facts.items()]
    header = ["row", *(title for title, _, _ in _COLUMNS), "problem"]
    lines += ["", _line(header), _line(["---"] * len(header))]
    lines += [_line(_cells(row)) for row in report.rows]
    lines += ["", *(f"- {sentence}" for sentence in ratios(report.rows))]
    return "\n".join(lines) + "\n"


def _cells(row: RowResult) -> list[str]:
    values = [(getattr(row, name), form) for _, name, form in _COLUMNS]
    return [row.row, *("" if value is None else form.format(value) for value, form in values), row.problem]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def ratios(rows: Sequence[RowResult]) -> list[str]:
    """Compare Kascribe's best row of each load with the best row of each other kind, where both were measured."""
    sentences = []
    for load, others in (
        ("mixed", ("floor", "plain", "batched")),
        ("short clips", ("plain", "batched")),
        ("Korean lengths", ("floor", "batched")),
    ):
        ours = _best(rows, "Kascribe", load)
        for kind in others:
            other = _best(rows, kind, load)
            if ours and other:
                factor = (ours.times_real_time or 0) / (other.times_real_time or 1)
                sentences.append(f"{load}: {ours.row} is {factor:.2f} times {other.row}")
    return sentences


def _best(rows: Sequence[RowResult], kind: str, load: str) -> RowResult | None:
    measured = [row for row in rows if row.row.startswith(f"{kind}, {load}") and row.times_real_time]
    return max(measured, key=lambda row: row.times_real_time or 0, default=None)
