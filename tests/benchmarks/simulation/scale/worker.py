"""One transcriber as in production, except for its engine: a device that takes a fixed time for each job.

``python -m tests.benchmarks.simulation.scale.worker NAME SECONDS RUNS``: the device does one job after another,
and waiting for it takes no CPU. Each run of a job adds a byte to the file RUNS.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.ports import EngineProgress
from consumers.transcriber.transcribe import TranscribeStage
from kascribe.configuration.reading import load
from kascribe.process import logs
from kascribe.process.health import RoleHealth, served
from kascribe.process.shutdown import ended_by_signals
from kascribe.wiring.consumer import listening_for_cancellations, run_stage
from producers.results import ResultStore
from schemas.kafka.topics import Topics
from schemas.options import Lane, TranscribeOptions
from schemas.settings import Settings
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript
from tests.benchmarks.simulation.device import pause
from tests.sound.provenance import PROVENANCE
from tests.support.kept import spoken_transcript


class TimedEngine:
    """Implements ``consumers.transcriber.ports.SpeechToText``: every job takes the device the same time."""

    def __init__(self, name: str, seconds: float, runs: Path) -> None:
        self.provenance: Provenance = PROVENANCE.model_copy(update={"model": name})
        self._device = threading.Lock()
        self._seconds = seconds
        self._runs = os.open(runs, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def check(self, options: TranscribeOptions) -> None:
        """Take any options."""

    def is_healthy(self) -> bool:
        """Be well."""
        return True

    def transcribe(
        self,
        path: Path,  # noqa: ARG002 - the protocol's
        options: TranscribeOptions,
        *,
        on_progress: Callable[[EngineProgress], None],  # noqa: ARG002
        cancelled: Callable[[], bool],  # noqa: ARG002
        lane: Lane,  # noqa: ARG002
        on_audio: Callable[[AudioFacts], None],
    ) -> Transcript:
        """Take the device's time, then return a short transcript."""
        made = spoken_transcript("one two three").model_copy(
            update={"provenance": self.provenance, "options": options}
        )
        on_audio(made.audio)
        os.write(self._runs, b".")
        # One after another: shared evenly, all jobs in flight would end in one burst.
        with self._device:
            pause(self._seconds)
        return made


def run(settings: Settings, engine: TimedEngine) -> None:
    """Run the role until SIGTERM, as ``kascribe.wiring.transcriber`` does with a model."""
    health = RoleHealth()
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings.server),
        closing(ObjectFetcher(settings.s3)) as fetcher,
        listening_for_cancellations(settings) as cancellations,
    ):
        stage = TranscribeStage(
            fetcher,
            ResultStore(settings.s3),
            engine,
            topics=Topics(settings.kafka.topic_prefix),
            settings=settings.s3,
            cancellations=cancellations,
        )
        run_stage(stage, settings, health, shutdown)


if __name__ == "__main__":
    loaded = load().settings
    logs.configure_process(loaded.log)
    run(loaded, TimedEngine(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])))
