"""``kascribe bench``: throughput, latency and the bottleneck of this machine, with a model and files."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kascribe.commands.benchmarking.figures import (
    BenchRow,
    Capacity,
    Observed,
    bottleneck,
    latency_row,
    shares,
)
from kascribe.commands.benchmarking.table import lines_of
from kascribe.commands.options import completions, job_options
from kascribe.commands.options.json_option import json_option
from kascribe.console.terminal import bars, notify, one_line, write, write_json
from kascribe.process.interruption import INTERRUPTED
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.options import TranscribeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from kascribe.commands.benchmarking.measuring import Measured
    from kascribe.sources.arguments import Source
    from schemas.settings import WhisperSettings

SECONDS: Final = 30.0
FILES_PER_CALL: Final = 4
"""Files in flight for each call of the model: while one is heard, others are decoded, also where all are short."""
CLIPS_AT_ONCE: Final = 1_000
"""Stands for the number of files where the self-test's clips are repeated: there are always enough."""


class Peer(StrEnum):
    """What Kascribe is compared with."""

    FASTER_WHISPER = "faster-whisper"


Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE|FOLDER|PATTERN",
        help="Audio or video: files, folders, quoted patterns. Without any: the self-test's speech.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="A model's name or directory.", autocompletion=completions.models),
]
Device = Annotated[
    str | None,
    typer.Option(metavar="auto|cuda|cpu", help="Where to run it.", autocompletion=completions.devices),
]
Seconds = Annotated[float, typer.Option(min=0.0, help="Seconds to repeat the files; each is done once at least.")]
Against = Annotated[
    Peer | None,
    typer.Option(metavar="SYSTEM", help="Also run faster-whisper's plain loop: faster-whisper."),
]
Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE.svg", help="Write a plot.", rich_help_panel=job_options.OUTPUT),
]


def bench(
    files: Files = None,
    model: Model = None,
    device: Device = None,
    language: job_options.Language = None,
    beam_size: job_options.BeamSize = 5,
    seconds: Seconds = SECONDS,
    against: Against = None,
    plot: Plot = None,
    as_json: Annotated[bool, json_option(BenchRow, "system")] = False,
) -> None:
    """Measure this machine: throughput, latency, memory, and what limits them.

    Files are transcribed again and again, many at once; then a short one by itself, on the interactive lane, and
    beside many. Nothing is kept, and nothing leaves this machine. A second run beside other work gives other
    figures.

    Examples:
        $ kascribe bench
        $ kascribe bench recordings/ --model large-v3-turbo --plot bench.svg
        $ kascribe bench recordings/ --against faster-whisper --json
    """
    from kascribe.configuration.reading import load

    if plot is not None and not plot.parent.is_dir():
        raise ConfigurationError(f"{plot} cannot be written: there is no folder {plot.parent}")
    paths = _paths(files)
    options = TranscribeOptions(language=language, beam_size=beam_size)
    overrides = {"whisper.model": model, "whisper.device": device}
    settings = load(overrides=overrides).settings.whisper
    try:
        with _phases() as on_phase:
            rows, observed, replicas = _run(
                settings,
                paths,
                options,
                files_given=len(paths) if files else CLIPS_AT_ONCE,
                seconds=seconds,
                on_phase=on_phase,
                against=against,
            )
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        for row in rows:
            write_json(row)
    else:
        for line in lines_of(rows):
            write(line)
    if plot is not None:
        from kascribe.commands.benchmarking.plot import svg

        plot.write_text(svg(rows, observed, replicas=replicas), encoding="utf-8")
        notify(f"written to {plot}")


def _paths(files: Sequence[str] | None) -> list[Path]:
    """Return the files that are named, or the self-test's clips with speech. Raises ConfigurationError."""
    if not files:
        from models.selftest import clips

        return [clip.path for clip in clips() if clip.text]
    from kascribe.sources.arguments import sources_of

    named = sources_of(files, standard_input=_no_standard_input)
    for sentence in named.left_out_sentences():
        notify(sentence)
    return [Path(source.location) for source in named.found]


def _run(
    settings: "WhisperSettings",
    paths: Sequence[Path],
    options: TranscribeOptions,
    *,
    files_given: int,
    seconds: float,
    on_phase: "Callable[[str], None]",
    against: Peer | None,
) -> tuple[list[BenchRow], Observed, int]:
    """Return a row for each system, what was observed of Kascribe's bulk run, and the replicas of its engine."""
    from kascribe.capacity import files_at_once
    from kascribe.commands.benchmarking.measuring import Measurer
    from kascribe.commands.benchmarking.recorder import Recorder, memory_peak_bytes
    from kascribe.commands.transcripts.local_model import opened_model
    from models.media.pool import decoder_processes
    from models.store import ModelStore
    from models.whisper.inference.device import parallelism

    clock = SystemClock()
    recorder = Recorder(clock)
    decoders = decoder_processes(settings)
    on_phase("loading the model")
    with opened_model(settings, meter=recorder) as transcriber:
        known = transcriber.provenance
        replicas = parallelism(settings, device=known.device, cores=len(os.sched_getaffinity(0))).replicas
        most = max(FILES_PER_CALL * replicas, files_at_once(device=known.device, decoder_processes=decoders))
        capacity = Capacity(replicas, decoders, files_at_once=most, files_given=files_given)
        measurer = Measurer(transcriber, options, recorder, clock=clock, on_phase=on_phase)
        measured = measurer.run(paths, files_at_once=min(most, files_given), seconds=seconds)
        memory = memory_peak_bytes()
    for path, error in measured.failures.items():
        notify(f"{one_line(str(path))}: {error}")
    blank = BenchRow(
        system="kascribe",
        model=known.model,
        device=known.device,
        compute_type=known.compute_type,
        files=0,
        audio_seconds=0.0,
        wall_seconds=0.0,
        times_real_time=0.0,
    )
    rows = [_row(blank, measured, capacity, memory)]
    if against is not None:
        from kascribe.commands.benchmarking.peer import run_plain_loop

        on_phase(f"{against.value}, one file after the other")
        directory = ModelStore.from_settings(settings, os.environ).path(settings.model)
        readable = [path for path in paths if path not in measured.failures]
        rows.append(run_plain_loop(directory, readable, options, blank, seconds=seconds, clock=clock))
    return rows, measured.bulk, replicas


def _row(blank: BenchRow, measured: "Measured", capacity: Capacity, memory: int | None) -> BenchRow:
    bulk = measured.bulk
    busy = shares(bulk, capacity)
    audio_seconds = bulk.audio_seconds
    lanes = {"bulk": bulk.files, "interactive": measured.alone, "interactive beside bulk": measured.beside}
    return blank.model_copy(
        update={
            "files": len(bulk.files),
            "audio_seconds": round(audio_seconds, 3),
            "wall_seconds": round(bulk.wall_seconds, 3),
            "times_real_time": round(audio_seconds / bulk.wall_seconds, 3),
            "engine_busy": round(busy.engine, 4),
            "decoders_busy": round(busy.decoders, 4),
            "rows_per_batch": round(busy.rows_per_batch, 2),
            "queued_seconds": round(busy.queued_seconds, 3),
            "memory_peak_bytes": memory,
            "latencies": tuple(latency_row(lane, files) for lane, files in lanes.items() if files),
            "bottleneck": bottleneck(busy, capacity),
        }
    )


def _no_standard_input() -> "Source":
    raise ConfigurationError("standard input cannot be read again and again: name files")


@contextmanager
def _phases() -> "Iterator[Callable[[str], None]]":
    """Show on standard error what is being measured, on a terminal; it vanishes at the end."""
    with bars() as progress:
        task = progress.add_task("", total=None)
        yield lambda phase: progress.update(task, description=phase)
