"""The floor: windows whose features are in the device's memory, straight into CTranslate2."""

import json
import os
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from models.media.messages import DecodeFinished, WindowReady
from models.media.pool import DecodeFailed, DecodeJob, DecoderEvent, DecoderPool
from models.media.speech.windows import WINDOW_FRAMES, Window
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.options import Lane
from schemas.settings import WhisperSettings
from tests.gpu.bench.load import Recording
from tests.gpu.bench.meters import Meter, TimedCalls
from tests.gpu.bench.shaped_model import CONTEXT_TOKENS
from tests.gpu.bench.subjects import BEAM_SIZE, Row

BATCHES: Final = 4
"""So many different batches are kept in the device's memory, and taken in turn."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The load's windows, and how fast the decoders made them."""

    features: Sequence[NDArray[np.float32]]
    audio_seconds: float
    decoders_times_real_time: float


def prepared_windows(recordings: Sequence[Recording], *, mel_bands: int, processes: int) -> Windows:
    """Decode the recordings as Kascribe does, and return all windows, padded. Blocks."""
    pool = DecoderPool(WhisperSettings(device="cpu", decoder_processes=processes), clock=SystemClock())
    with closing(pool):
        pool.wait_ready()
        start = time.perf_counter()
        decodings = [_Decoding(recording, mel_bands, pool) for recording in recordings]
        features = [padded for decoding in decodings for padded in decoding.result(mel_bands)]
        seconds = time.perf_counter() - start
    audio_seconds = sum(recording.seconds for recording in recordings)
    return Windows(features, audio_seconds, audio_seconds / seconds)


class _Decoding:
    """One file on its way through the decoders."""

    def __init__(self, recording: Recording, mel_bands: int, pool: DecoderPool) -> None:
        self._spool = FeatureSpool(mel_bands=mel_bands)
        self._windows: list[Window] = []
        self._ended = threading.Event()
        self._error: Exception | None = None
        pool.submit(
            DecodeJob(
                path=recording.path,
                spool=self._spool,
                split=False,
                vad=True,
                mel_bands=mel_bands,
                lane=Lane.BULK,
                on_event=self._on_event,
                cancelled=lambda: False,
            )
        )

    def _on_event(self, event: DecoderEvent) -> None:
        if isinstance(event, WindowReady):
            self._windows.append(event.window())
        if isinstance(event, DecodeFailed):
            self._error = event.error
        if isinstance(event, DecodeFailed | DecodeFinished):
            self._ended.set()

    def result(self, mel_bands: int) -> list[NDArray[np.float32]]:
        """Return the features of all windows. Blocks until the file is decoded; raises what it failed with."""
        self._ended.wait()
        with closing(self._spool):
            if self._error is not None:
                raise self._error
            padded = np.zeros((len(self._windows), mel_bands, WINDOW_FRAMES), np.float32)
            for row, window in zip(padded, self._windows, strict=True):
                row[:, : window.frames] = self._spool.read(window)
        return list(padded)


class Floor:
    """CTranslate2 alone, with as many calls at once as replicas."""

    def __init__(
        self, model: Path, windows: Windows, *, device: str, compute_type: str, language: str, replicas: int
    ) -> None:
        self._whisper = ctranslate2.models.Whisper(
            str(model),
            device=device,
            compute_type=compute_type,
            inter_threads=replicas,
            intra_threads=max(1, len(os.sched_getaffinity(0)) // replicas),
        )
        self._timed = TimedCalls(self._whisper)
        self._windows = windows
        self._device = device
        self._replicas = replicas
        self._prompt = _prompt(model, language)
        self._batches: list[Any] = []

    def threads(self, row: Row) -> int:  # noqa: ARG002 - as for every subject
        """Return the number of replicas."""
        return self._replicas

    def prepare(self, row: Row) -> None:
        """Put the row's batches in the device's memory, and hear one."""
        endless = cycle(self._windows.features)
        self._batches = []
        for _ in range(BATCHES):
            batch = ctranslate2.StorageView.from_array(np.stack(list(islice(endless, row.batch))))
            self._batches.append(batch.to_device(ctranslate2.Device.cuda) if self._device == "cuda" else batch)
        self._hear(self._batches[0])

    def work(self, row: Row, meter: Meter, stop: threading.Event) -> None:
        """Hear batches."""
        self._timed.meter = meter
        audio_seconds = row.batch * self._windows.audio_seconds / len(self._windows.features)
        for batch in cycle(self._batches):
            if stop.is_set():
                return
            self._hear(batch)
            meter.heard(audio_seconds)

    def _hear(self, batch: Any) -> None:
        self._timed.generate(
            self._timed.encode(batch, to_cpu=False),
            [self._prompt] * batch.shape[0],
            beam_size=BEAM_SIZE,
            max_length=CONTEXT_TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
        )

    def close(self) -> None:
        """Free the model."""
        self._batches = []
        self._whisper.unload_model()


def _prompt(model: Path, language: str) -> list[int]:
    vocabulary = json.loads((model / "vocabulary.json").read_text(encoding="utf-8"))
    tokens = ("<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>")
    return [vocabulary.index(token) for token in tokens]
