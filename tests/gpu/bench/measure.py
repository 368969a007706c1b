"""The process that measures: makes models and load, and runs the rows in order until the time is over.

Started by ``python -m tests.gpu.bench``, which makes the machine ready and ends this process at the limit.
"""

import argparse
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from models.whisper.provenance import installed_version
from tests.gpu.bench import machine
from tests.gpu.bench.load import Load, write_load
from tests.gpu.bench.meters import LEAD_IN_SECONDS, Card, Meter, run_threads
from tests.gpu.bench.plan import Inputs, arms
from tests.gpu.bench.report import Report, RowResult
from tests.gpu.bench.shaped_model import LENGTHS, SHAPES, make
from tests.gpu.bench.subjects import Arm, Row, Subject

OPEN_SECONDS: Final = 8.0
"""Expected for loading a model and the first calls, where the remaining time is divided."""
LEAST_SECONDS: Final = 1.0
"""A row that would be measured for less is left out."""
PATIENCE_SECONDS: Final = 20.0
"""A slow machine is given so long to be heard from a few times in a row that should be shorter."""


class Budget:
    """Divides the remaining time among the remaining rows, in proportion to what each should have."""

    def __init__(self, deadline: float, arms: Sequence[Arm]) -> None:
        self._deadline = deadline
        self._wanted = {row.name: row.seconds for arm in arms for row in arm.rows}
        self._unopened = len(arms)

    def opened(self) -> None:
        """Count an arm as loaded."""
        self._unopened -= 1

    def left(self, now: float) -> float:
        """Return the seconds until the deadline."""
        return self._deadline - now

    def grant(self, row: Row, now: float) -> float:
        """Return the seconds for which the row may be measured; 0 when too few are left."""
        wanted = self._wanted.pop(row.name)
        free = self.left(now) - self._unopened * OPEN_SECONDS
        share = min(1.0, max(0.0, free) / (wanted + sum(self._wanted.values())))
        # The first rows matter most. When not even a little is left for all, they take it from the last.
        granted = min(wanted, max(wanted * share, LEAST_SECONDS))
        return granted if granted < self.left(now) else 0.0

    def longest(self, granted: float, now: float) -> float:
        """Return for how long a row may go on that has hardly been heard from, without the time of the others."""
        share = (self.left(now) - self._unopened * OPEN_SECONDS) / (1 + len(self._wanted))
        return min(max(granted, min(PATIENCE_SECONDS, share)), self.left(now))


@dataclass(slots=True)
class Run:
    """One run of the benchmark."""

    report: Report
    out: Path
    budget: Budget
    card: Card

    def measure(self, arm: Arm) -> None:
        """Measure the rows of an arm; a row that fails or finds no time says so in the table."""
        started = time.perf_counter()
        self.budget.opened()
        if self.budget.left(started) < LEAST_SECONDS:
            self._skip(arm.rows, "no time was left")
            return
        try:
            subject = arm.open()
        except Exception as error:  # noqa: BLE001 - the other arms are still worth measuring
            self._skip(arm.rows, f"{type(error).__name__}: {error}")
            return
        try:
            for row in arm.rows:
                self._add(self._measured(subject, row, started))
                started = time.perf_counter()
        finally:
            subject.close()

    def _measured(self, subject: Subject, row: Row, started: float) -> RowResult:
        try:
            self._prepare(subject, row)
        except Exception as error:  # noqa: BLE001 - a batch that does not fit leaves the smaller ones
            return RowResult(row.name, problem=f"{type(error).__name__}: {error}")
        first_seconds = time.perf_counter() - started
        seconds = self.budget.grant(row, time.perf_counter())
        if not seconds:
            return RowResult(row.name, first_seconds=first_seconds, problem="no time was left")
        meter = Meter()

        def work(stop: threading.Event) -> None:
            subject.work(row, meter, stop)

        interval = run_threads(
            work,
            meter.count,
            threads=subject.threads(row),
            seconds=seconds,
            longest_seconds=LEAD_IN_SECONDS + self.budget.longest(seconds, time.perf_counter()),
        )
        reading = meter.reading(interval.since, interval.until)
        utilisation, gpu_mib = self.card.reading(interval.since, interval.until)
        return RowResult(
            row=row.name,
            times_real_time=round(reading.times_real_time, 2),
            windows_per_second=round(reading.windows_per_second, 2),
            busy=round(reading.busy, 3),
            calls_under_way=round(reading.calls_under_way, 2),
            rows_per_call=None if reading.rows_per_call is None else round(reading.rows_per_call, 1),
            gpu_utilisation=utilisation,
            gpu_mib=gpu_mib,
            host_mib=interval.host_mib,
            cpu_cores=round(interval.cpu_cores, 2),
            first_seconds=round(first_seconds, 1),
            measured_seconds=round(interval.until - interval.since, 1),
            problem=interval.problem or ("" if reading.times_real_time else "nothing was heard in time"),
        )

    def _prepare(self, subject: Subject, row: Row) -> None:
        start = time.perf_counter()
        subject.prepare(row)
        if "first_call_seconds" not in self.report.facts:  # the kernels are compiled within it, if at all
            first_seconds = time.perf_counter() - start
            start = time.perf_counter()
            subject.prepare(row)
            self.report.facts["first_call_seconds"] = round(first_seconds, 2)
            self.report.facts["second_call_seconds"] = round(time.perf_counter() - start, 2)

    def _skip(self, rows: Sequence[Row], problem: str) -> None:
        for row in rows:
            self._add(RowResult(row.name, problem=problem))

    def _add(self, result: RowResult) -> None:
        speed = "" if result.times_real_time is None else f"{result.times_real_time:,.1f} × real time"
        print(f"{result.row}: {speed} {result.problem}".rstrip())
        self.report.rows.append(result)
        self.report.save(self.out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all rows, and save the report after each."""
    started = time.perf_counter()
    options = _parser().parse_args(arguments)
    report = Report()
    shape = SHAPES[options.shape]
    report.facts = {**machine.describe(), "device": options.device, "shape": options.shape}
    report.facts |= {name: installed_version(name) for name in ("ctranslate2", "faster-whisper")}
    report.facts["load_average"] = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    load: Load = write_load(options.work / "load", scale=options.load_scale)
    report.facts["load_seconds"] = round(sum(recording.seconds for recording in load.mixed))
    inputs = Inputs(
        load=load,
        device=options.device,
        mel_bands=shape.mel_bands,
        model=partial(_model, options.work, options.shape),
        facts=report.facts,
    )
    planned = arms(inputs, seconds_scale=options.seconds_scale, only=options.only)
    report.planned = [row.name for arm in planned for row in arm.rows]
    report.facts["made_seconds"] = round(time.perf_counter() - started, 1)
    report.save(options.out)
    run = Run(report, options.out, Budget(started + options.seconds, planned), Card())
    for arm in planned:
        run.measure(arm)
    run.card.close()


def _model(work: Path, shape: str, language: str) -> Path:
    """Return the model for a language; make it when it is first asked for."""
    directory = work / f"model-{language}"
    if not directory.is_dir():
        make(directory, SHAPES[shape], language=language, tokens=LENGTHS[language])
    return directory


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.bench.measure", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=400.0, help="for all rows together")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="turbo")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--load-scale", type=float, default=1.0, help="shortens the recordings that are not short")
    parser.add_argument("--seconds-scale", type=float, default=1.0, help="shortens each row")
    parser.add_argument("--only", default="", help="a regular expression that the rows to measure match")
    return parser


if __name__ == "__main__":
    main()
