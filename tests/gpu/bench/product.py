"""Kascribe: a transcriber shared by many callers, as its consumers call it."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from models.whisper.progress import Progress
from models.whisper.transcriber import Transcriber
from schemas.errors import JobCancelled
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.gpu.bench.load import Files, Load, Recording
from tests.gpu.bench.meters import Meter
from tests.gpu.bench.subjects import BEAM_SIZE, OPEN, WORDS, Row


class Kascribe:
    """The transcriber with its settings, and its callers."""

    def __init__(self, model: Path, load: Load, settings: WhisperSettings, *, language: str, callers: int) -> None:
        self._batches = _Batches()
        self._transcriber = Transcriber(settings, model, "shaped", observer=self._batches)
        self._transcriber.warm_up()
        self._load = load
        self._language = language
        self._callers = callers
        self._files: Files | None = None

    def threads(self, row: Row) -> int:  # noqa: ARG002 - as for every subject
        """Return the number of callers."""
        return self._callers

    def prepare(self, row: Row) -> None:
        """Transcribe a file."""
        self._files = Files(self._recordings(row))
        self._transcriber.transcribe(self._load.shortest.path, self._options(row))

    def work(self, row: Row, meter: Meter, stop: threading.Event) -> None:
        """Transcribe files; what is under way when the event is set is cancelled."""
        self._batches.meter = meter
        files = self._files or Files(self._recordings(row))
        options = self._options(row)
        while not stop.is_set():
            recording = files.take()
            heard = _Heard(recording, meter)
            try:
                self._transcriber.transcribe(
                    recording.path, options, on_progress=heard.on_progress, cancelled=stop.is_set
                )
            except JobCancelled:
                return
            heard.on_end()

    def _recordings(self, row: Row) -> Sequence[Recording]:
        return self._load.of(row.load)

    def _options(self, row: Row) -> TranscribeOptions:
        language = None if row.load == OPEN else self._language
        return TranscribeOptions(language=language, beam_size=BEAM_SIZE, word_timestamps=row.load == WORDS)

    def close(self) -> None:
        """Stop the transcriber."""
        self._transcriber.close()


class _Heard:
    """Turns progress, a fraction of a file, into seconds of audio."""

    def __init__(self, recording: Recording, meter: Meter) -> None:
        self._recording = recording
        self._meter = meter
        self._reached = 0.0

    def on_progress(self, progress: Progress) -> None:
        if progress.fraction is not None and progress.fraction > self._reached:
            self._meter.heard((progress.fraction - self._reached) * self._recording.seconds)
            self._reached = progress.fraction

    def on_end(self) -> None:
        self._meter.heard((1 - self._reached) * self._recording.seconds)


class _Batches:
    """The engine's observer: reports the time of each batch to the meter that is set."""

    def __init__(self) -> None:
        self.meter = Meter()

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:  # noqa: ARG002
        """See ``models.whisper.inference.observer.EngineObserver``."""
        end = time.perf_counter()
        self.meter.called(end - seconds, end, rows)
