"""Threads that transcribe recordings as the transcriber's workers do, each one at a time."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from time import thread_time
from typing import Final

from models.media.spool import FeatureSpool
from models.whisper.assembly import assemble
from models.whisper.inference.engine import Engine
from models.whisper.progress import ProgressReporter
from models.whisper.text.vocabulary import Vocabulary
from models.whisper.transcription import Transcription
from schemas.clock import Clock
from schemas.errors import JobCancelled
from schemas.options import Lane, TranscribeOptions
from schemas.transcripts.transcript import Provenance
from tests.benchmarks.simulation.costs import MEL_BANDS
from tests.benchmarks.simulation.decoders import DecodeJob, Decoders
from tests.benchmarks.simulation.load import Recording

PROVENANCE: Final = Provenance(
    engine="timed",
    engine_version="0",
    model="timed",
    model_sha256="0" * 64,
    compute_type="float16",
    device="cuda",
    options_digest="",
    kascribe_version="0",
)


@dataclass(slots=True)
class Tally:
    """What has come out. ``windows`` and ``seconds`` count whole recordings."""

    recordings: int = 0
    windows: int = 0
    seconds: float = 0.0
    failures: list[Exception] = field(default_factory=list)


class Workers:
    """``count`` threads that share an engine. They end with the recordings, or when they are stopped."""

    def __init__(
        self,
        recordings: Iterator[Recording],
        *,
        count: int,
        engine: Engine,
        vocabulary: Vocabulary,
        decoders: Decoders,
        job_seconds: float,
        clock: Clock,
    ) -> None:
        self.tally = Tally()
        self._recordings = recordings
        self._engine = engine
        self._vocabulary = vocabulary
        self._decoders = decoders
        self._job_seconds = job_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Cancel what is in progress. Does not block."""
        self._stopped.set()

    def join(self) -> None:
        """Block until all threads have ended; raise the first error of a recording."""
        for thread in self._threads:
            thread.join()
        if self.tally.failures:
            raise self.tally.failures[0]

    def _run(self) -> None:
        try:
            while (recording := self._next()) is not None:
                self._transcribe(recording)
        except JobCancelled:
            pass
        except Exception as error:  # noqa: BLE001 - raised by join()
            self.tally.failures.append(error)
            self._stopped.set()

    def _next(self) -> Recording | None:
        with self._lock:
            return None if self._stopped.is_set() else next(self._recordings, None)

    def _transcribe(self, recording: Recording) -> None:
        hold_the_gil(self._job_seconds / 2)
        started_at = self._clock.monotonic()
        options = TranscribeOptions()
        with closing(FeatureSpool(mel_bands=MEL_BANDS)) as spool:
            transcription = Transcription(
                options,
                engine=self._engine,
                vocabulary=self._vocabulary,
                read_features=spool.read,
                lane=Lane.BULK,
                language=None,
                clock=self._clock,
            )
            self._decoders.submit(DecodeJob(recording, spool, transcription.on_decoder_event))
            reporter = ProgressReporter(lambda _: None, lambda _: None)
            for state in transcription.steps(self._stopped.is_set):
                reporter.update(state)
        transcript = assemble(
            transcription.state, options, PROVENANCE, started_at=started_at, ended_at=self._clock.monotonic()
        )
        hold_the_gil(self._job_seconds / 2)
        with self._lock:
            self.tally.recordings += 1
            self.tally.windows += transcript.usage.windows
            self.tally.seconds += transcript.usage.audio_seconds


def hold_the_gil(seconds: float) -> None:
    """Use this much CPU time in Python, as clients of S3 and Kafka do; longer by the clock where others do too."""
    end = thread_time() + seconds
    while thread_time() < end:
        sum(range(200))
