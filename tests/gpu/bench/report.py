"""Rows of the table, as JSON and as Markdown. Imports nothing that has to be installed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

RESULTS: Final = "bench-gpu.json"
TABLE: Final = "bench-gpu.md"
KINDS: Final = ("floor", "plain", "batched", "Kascribe")
LOADS: Final = ("mixed", "short clips", "Korean lengths")


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
    """All that a run measured. ``facts`` are about machine, model and load, ``planned`` names every row."""

    facts: dict[str, Any] = field(default_factory=dict)
    rows: list[RowResult] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)

    def complete(self, problem: str) -> None:
        """Add the planned rows that are missing, with the problem that they have."""
        measured = {row.row for row in self.rows}
        self.rows += [RowResult(name, problem=problem) for name in self.planned if name not in measured]

    def save(self, directory: Path) -> None:
        """Write the results so far as JSON. A process killed meanwhile leaves the previous file."""
        path = directory / RESULTS
        fresh = path.with_suffix(".part")
        content = {"facts": self.facts, "planned": self.planned, "rows": [asdict(row) for row in self.rows]}
        fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)

    @classmethod
    def load(cls, directory: Path) -> "Report":
        """Read the results of a run; an empty report when it has saved none."""
        path = directory / RESULTS
        if not path.is_file():
            return cls()
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["facts"], [RowResult(**row) for row in content["rows"]], content["planned"])


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
    if report.facts.get("device") == "cuda":
        lines += ["", _line(["goal", "at least", "measured"]), _line(["---"] * 3)]
        lines += [_line(cells) for cells in goals(report.rows)]
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


def goals(rows: Sequence[RowResult]) -> list[list[str]]:
    """Set the best measured rows beside what Kascribe should reach on a GPU."""
    speeds = {(kind, load): _speed(rows, kind, load) for kind in KINDS for load in LOADS}
    mixed = _best(rows, "Kascribe", "mixed")

    def ratio(load: str, kind: str) -> float | None:
        ours, other = speeds["Kascribe", load], speeds[kind, load]
        return ours / other if ours and other else None

    measured = (
        ("× real time, mixed", 1_000, speeds["Kascribe", "mixed"]),
        ("× real time, Korean lengths", 600, speeds["Kascribe", "Korean lengths"]),
        ("busy, mixed", 0.95, mixed.busy if mixed else None),
        ("times plain, mixed", 2.5, ratio("mixed", "plain")),
        ("times batched, mixed", 1.5, ratio("mixed", "batched")),
        ("times batched, short clips", 5, ratio("short clips", "batched")),
    )
    return [
        [name, f"{wanted:,}", "not measured" if value is None else f"{value:,.2f}"]
        for name, wanted, value in measured
    ]


def _speed(rows: Sequence[RowResult], kind: str, load: str) -> float | None:
    best = _best(rows, kind, load)
    return best.times_real_time if best else None


def _best(rows: Sequence[RowResult], kind: str, load: str) -> RowResult | None:
    measured = [row for row in rows if row.row.startswith(f"{kind}, {load}") and row.times_real_time]
    return max(measured, key=lambda row: row.times_real_time or 0, default=None)
