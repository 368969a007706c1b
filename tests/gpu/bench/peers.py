"""faster-whisper: its plain loop, one file after the other, and its batched pipeline."""

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from faster_whisper import BatchedInferencePipeline, WhisperModel

from tests.gpu.bench.load import Files, Load, Recording
from tests.gpu.bench.meters import Meter, TimedCalls
from tests.gpu.bench.subjects import BEAM_SIZE, Row

SEARCH: Final = {"beam_size": BEAM_SIZE, "temperature": 0.0, "without_timestamps": True}
"""Text without timestamps, as Kascribe decodes; timestamps would be slower."""


class FasterWhisper:
    """faster-whisper as its documentation calls it, with a voice activity filter."""

    def __init__(self, model: Path, load: Load, *, device: str, compute_type: str, language: str) -> None:
        cores = len(os.sched_getaffinity(0))
        self._model = WhisperModel(str(model), device=device, compute_type=compute_type, cpu_threads=cores)
        self._whisper = self._model.model
        self._timed = TimedCalls(self._whisper)
        self._model.model = self._timed
        self._batched = BatchedInferencePipeline(self._model)
        self._load = load
        self._language = language

    def threads(self, row: Row) -> int:  # noqa: ARG002 - as for every subject
        """Return one: neither pipeline may be shared by threads."""
        return 1

    def prepare(self, row: Row) -> None:
        """Transcribe a file."""
        for _ in self._segments(row, self._load.shortest):
            pass

    def work(self, row: Row, meter: Meter, stop: threading.Event) -> None:
        """Transcribe files; stop between two segments."""
        self._timed.meter = meter
        files = Files(self._recordings(row))
        while not stop.is_set():
            recording, reached = files.take(), 0.0
            for segment in self._segments(row, recording):
                meter.heard(segment.end - reached)
                reached = segment.end
                if stop.is_set():
                    return
            meter.heard(recording.seconds - reached)

    def _recordings(self, row: Row) -> Sequence[Recording]:
        return self._load.of(row.load)

    def _segments(self, row: Row, recording: Recording) -> Iterable[Any]:
        path = str(recording.path)
        if row.batch:
            segments, _ = self._batched.transcribe(
                path, language=self._language, batch_size=row.batch, vad_filter=True, **SEARCH
            )
        else:
            segments, _ = self._model.transcribe(
                path, language=self._language, vad_filter=True, condition_on_previous_text=False, **SEARCH
            )
        return segments  # type: ignore[no-any-return]

    def close(self) -> None:
        """Free the model."""
        self._whisper.unload_model()
