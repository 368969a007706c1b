"""A slice of the benchmark on the CPU: one row of each kind, with the smallest model."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.gpu.bench.machine import ROOT
from tests.gpu.bench.report import TABLE, Report, RowResult, markdown, ratios

ROWS: Final = "floor, mixed: 1 at once, 1 rows|mixed: as installed|plain, mixed|batched, mixed|word times"
KINDS: Final = {"floor, mixed", "Kascribe, mixed", "plain, mixed", "batched, mixed"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the benchmark to its end, and return where its results are."""
    directory = tmp_path_factory.mktemp("out")
    command = [sys.executable, "-m", "tests.gpu.bench", "--shape=micro", "--device=cpu", f"--only={ROWS}"]
    command += ["--load-scale=0.05", "--seconds-scale=0.02", "--limit-seconds=240"]
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OUT": str(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return directory


def test_the_benchmark_measures_every_kind_of_row(out: Path) -> None:
    """Each row has a speed, a busy share and memory, and none has a problem."""
    report = Report.load(out)
    kinds = {row.row.split(":")[0] for row in report.rows}
    assert kinds == KINDS | {"Kascribe, word times"}
    for row in report.rows:
        assert row.problem == ""
        assert row.times_real_time is not None
        assert row.times_real_time > 0
        assert row.busy is not None
        assert 0 < row.busy <= 1
        assert row.host_mib


def test_the_report_says_what_was_measured_on_what(out: Path) -> None:
    """The table is also a page, and the facts of the run stand above it."""
    report = Report.load(out)
    page = (out / TABLE).read_text(encoding="utf-8")
    assert page == markdown(report)
    assert report.facts["measuring_process"] == "ended"
    assert report.facts["first_call_seconds"] > 0
    assert report.facts["load_windows"] > 0
    assert "| floor, mixed: 1 at once, 1 rows |" in page


def test_kascribe_is_compared_with_the_best_of_each_kind() -> None:
    """Rows of one load are compared; a row that was not measured is left out."""
    rows = [
        RowResult("floor, mixed: 1 at once, 16 rows", times_real_time=1_000.0),
        RowResult("floor, mixed: 2 at once, 32 rows", times_real_time=1_600.0),
        RowResult("Kascribe, mixed: as installed", times_real_time=1_200.0),
        RowResult("plain, mixed: one file after the other", problem="no time was left"),
        RowResult("batched, short clips: 16 rows", times_real_time=100.0),
    ]
    assert ratios(rows) == ["mixed: Kascribe, mixed: as installed is 0.75 times floor, mixed: 2 at once, 32 rows"]


def test_goals_are_set_beside_what_was_measured_on_a_gpu() -> None:
    """A goal whose rows are missing says so; a CPU has none."""
    rows = [
        RowResult("Kascribe, mixed: as installed", times_real_time=1_200.0, busy=0.96),
        RowResult("batched, mixed: 16 rows", times_real_time=600.0),
    ]
    page = markdown(Report({"device": "cuda"}, rows))
    assert "| × real time, mixed | 1,000 | 1,200.00 |" in page
    assert "| busy, mixed | 0.95 | 0.96 |" in page
    assert "| times batched, mixed | 1.5 | 2.00 |" in page
    assert "| times plain, mixed | 2.5 | not measured |" in page
    assert "goal" not in markdown(Report({"device": "cpu"}, rows))


def test_rows_that_were_not_reached_say_so(tmp_path: Path) -> None:
    """A run that is ended at its limit has a line for every row."""
    report = Report({}, [RowResult("floor", times_real_time=1.0)], ["floor", "plain"])
    report.save(tmp_path)
    loaded = Report.load(tmp_path)
    loaded.complete("was not reached")
    assert [(row.row, row.problem) for row in loaded.rows] == [("floor", ""), ("plain", "was not reached")]


def test_a_run_that_saved_nothing_still_makes_a_page(tmp_path: Path) -> None:
    """A process that was killed before its first row leaves an empty table."""
    assert "| row |" in markdown(Report.load(tmp_path))
