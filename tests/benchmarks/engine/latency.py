"""A clip of five seconds again and again, on an idle engine and beside a bulk file of hours.

While the bulk file is transcribed, blocks of time with clips and without alternate: what the bulk job loses is the
difference of its speed between them.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.real_models import fetch_whisper
from deploy.stack.cache import default_cache
from models.whisper.progress import Progress
from models.whisper.transcriber import Transcriber
from schemas.errors import JobCancelled
from schemas.options import Lane, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import Transcript
from tests.benchmarks.engine.loads import real_speech
from tests.benchmarks.gateway import percentile
from tests.benchmarks.long_files.long_file import repeated
from tests.sound.decoding import WAV
from tests.sound.recordings import SAMPLE_RATE_HERTZ, read, write

P95: Final = 0.95
LATENCY_GOAL: Final = 2.0
LOSS_GOAL_PERCENT: Final = 5.0
CLIP_SECONDS: Final = 5.0
DECODED_TIMEOUT_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``clips`` on the idle engine; beside the bulk file, one every ``every_seconds`` in each second block."""

    clips: int
    every_seconds: float
    block_seconds: float
    lane: Lane = Lane.INTERACTIVE


@dataclass(slots=True)
class Speed:
    """The seconds of audio that the bulk job finished, and in how many seconds."""

    audio_seconds: float = 0.0
    seconds: float = 0.0

    def add(self, marks: "Sequence[tuple[float, float]]") -> None:
        """Add what was done between the first and the last report of a block: (time, seconds of audio)."""
        if len(marks) > 1:
            self.seconds += marks[-1][0] - marks[0][0]
            self.audio_seconds += marks[-1][1] - marks[0][1]

    @property
    def times_real_time(self) -> float | None:
        """Seconds of audio in a second; None where too little was measured."""
        return self.audio_seconds / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Latencies in seconds, and the bulk job's speed in blocks without and with clips."""

    idle: Sequence[float]
    beside: Sequence[float]
    alone: Speed
    shared: Speed

    @property
    def latency_ratio(self) -> float:
        """The 95th percentile beside the bulk job, in those of the idle engine."""
        return percentile(self.beside, P95) / percentile(self.idle, P95)

    @property
    def loss_percent(self) -> float | None:
        """What clips cost the bulk job; None where too little was measured."""
        alone, shared = self.alone.times_real_time, self.shared.times_real_time
        return 100 * (1 - shared / alone) if alone and shared else None


@dataclass(slots=True)
class _BulkJob:
    """The bulk file under way. ``marks`` are its reports of progress: (time, seconds of audio done)."""

    audio_seconds: float
    marks: list[tuple[float, float]] = field(default_factory=list)
    decoded: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    _reports: int = 0

    def on_audio(self, _: object) -> None:
        """Count the calls: the second one comes when decoding has finished."""
        self._reports += 1
        if self._reports > 1:
            self.decoded.set()

    def on_progress(self, progress: Progress) -> None:
        """Note how far it is."""
        self.marks.append((time.monotonic(), (progress.fraction or 0.0) * self.audio_seconds))


def measure(transcriber: Transcriber, clip: Path, bulk: Path, *, seconds: float, plan: Plan) -> Outcome:
    """Run the scenario once; ``seconds`` is the length of the bulk file. Blocks until that is transcribed."""
    options = TranscribeOptions()

    def once() -> float:
        started = time.monotonic()
        transcriber.transcribe(clip, options, lane=plan.lane)
        return time.monotonic() - started

    once()
    idle = [once() for _ in range(plan.clips)]
    job = _BulkJob(seconds)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(
            transcriber.transcribe,
            bulk,
            options,
            on_progress=job.on_progress,
            on_audio=job.on_audio,
            cancelled=job.cancelled.is_set,
        )
        try:
            # Decoding takes part of the cores at first; blocks before its end would not compare.
            job.decoded.wait(DECODED_TIMEOUT_SECONDS)
            beside, alone, shared = _blocks(job, running, once, plan)
        finally:
            job.cancelled.set()
        with suppress(JobCancelled):
            running.result()
    return Outcome(idle, beside, alone, shared)


def _blocks(
    job: _BulkJob, running: Future[Transcript], once: Callable[[], float], plan: Plan
) -> tuple[list[float], Speed, Speed]:
    beside: list[float] = []
    alone, shared = Speed(), Speed()
    pause = threading.Event()
    while not running.done():
        for speed in (shared, alone):
            first, end = len(job.marks), time.monotonic() + plan.block_seconds
            while not running.done() and (left := end - time.monotonic()) > 0:
                if speed is alone:
                    pause.wait(min(1.0, left))
                    continue
                due = time.monotonic() + plan.every_seconds
                beside.append(once())
                pause.wait(max(0.0, min(due, end) - time.monotonic()))
            speed.add(job.marks[first:])
    return beside, alone, shared


def table(outcome: Outcome) -> str:
    """Return the figures and the verdicts as text."""
    lines = [f"{'':24}{'clips':>6}{'median s':>10}{'p95 s':>8}"]
    for name, times in (("idle", outcome.idle), ("beside the bulk file", outcome.beside)):
        lines.append(f"{name:24}{len(times):6}{statistics.median(times):10.2f}{percentile(times, P95):8.2f}")
    ratio, loss = outcome.latency_ratio, outcome.loss_percent
    lines.append(f"goal: p95 at most {LATENCY_GOAL:g} times idle: {ratio:.2f}, {_verdict(ratio <= LATENCY_GOAL)}")
    if loss is None:
        lines.append("the bulk file was too short to measure what it loses")
    else:
        speeds = f"{outcome.alone.times_real_time:.1f} and {outcome.shared.times_real_time:.1f} times real time"
        verdict = _verdict(loss <= LOSS_GOAL_PERCENT)
        lines.append(f"bulk file in blocks without and with clips: {speeds}")
        lines.append(f"goal: the bulk file loses at most {LOSS_GOAL_PERCENT:g} %: {loss:.1f} %, {verdict}")
    return "\n".join(lines)


def _verdict(holds: bool) -> str:
    return "met" if holds else "missed"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine.latency", description=__doc__)
    parser.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    parser.add_argument("--hours", type=float, default=3.0, help="of the bulk file")
    parser.add_argument("--clips", type=int, default=40, help="on the idle engine")
    parser.add_argument("--every-seconds", type=float, default=30.0, help="from one clip to the next")
    parser.add_argument("--block-seconds", type=float, default=60.0)
    parser.add_argument(
        "--lane", choices=[lane.value for lane in Lane], default="interactive", help="of the clips"
    )
    chosen = parser.parse_args()
    plan = Plan(chosen.clips, chosen.every_seconds, chosen.block_seconds, Lane(chosen.lane))
    model, seconds = chosen.model or fetch_whisper(default_cache()), chosen.hours * 3_600
    source = max(real_speech(120).paths, key=lambda path: len(read(path)))
    settings = WhisperSettings(device="cpu")
    with TemporaryDirectory(prefix="kascribe-latency-") as name:
        sound = read(source)[: round(CLIP_SECONDS * SAMPLE_RATE_HERTZ)]
        clip = write(Path(name) / "clip.wav", sound, WAV)
        bulk = repeated(source, Path(name) / "bulk.mp3", seconds=seconds, pause_seconds=0.5)
        with closing(Transcriber(settings, model, model.name)) as transcriber:
            transcriber.warm_up()
            load = os.getloadavg()[0]
            print(f"{model.name}, a bulk file of {chosen.hours:g} h; load {load:.1f} before", flush=True)
            print(table(measure(transcriber, clip, bulk, seconds=seconds, plan=plan)))
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
