"""What is compared: Kascribe, and faster-whisper's two modes on the same weights, each with its defaults."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from math import ceil
from pathlib import Path
from typing import Final, Protocol

import ctranslate2
import faster_whisper

from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings

COMPUTE_TYPE: Final = "int8"
DEVICE: Final = "cpu"
CALLERS: Final = 4
"""Files in flight in Kascribe at once: what keeps both cores busy."""
SEED: Final = 1
"""faster-whisper tries improbable texts again by sampling."""


class System(Protocol):
    """A way from files to texts."""

    def texts(self, paths: list[Path], *, vad: bool) -> Iterator[str]:
        """Yield the text of each file, in order. Blocks."""
        ...


class Sequential:
    """``faster_whisper.WhisperModel``: windows one after the other, with timestamps and the text before."""

    def __init__(self, model: faster_whisper.WhisperModel) -> None:
        self._model = model

    def texts(self, paths: list[Path], *, vad: bool) -> Iterator[str]:
        """Yield the text of each file."""
        for path in paths:
            ctranslate2.set_random_seed(SEED)
            segments, _ = self._model.transcribe(str(path), vad_filter=vad)
            yield "".join(segment.text for segment in segments).strip()


class Batched:
    """``faster_whisper.BatchedInferencePipeline``; without VAD it is given the windows of 30 s."""

    def __init__(self, model: faster_whisper.WhisperModel) -> None:
        self._pipeline = faster_whisper.BatchedInferencePipeline(model)

    def texts(self, paths: list[Path], *, vad: bool) -> Iterator[str]:
        """Yield the text of each file. A file in which it finds no speech has none."""
        for path in paths:
            audio = faster_whisper.decode_audio(str(path))
            whole = None if vad else _windows(len(audio) / 16_000)
            segments, _ = self._pipeline.transcribe(audio, vad_filter=vad, clip_timestamps=whole)
            yield "".join(segment.text for segment in segments).strip()


class Kascribe:
    """The product's entry point to speech to text, with several files in flight."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber

    def texts(self, paths: list[Path], *, vad: bool) -> Iterator[str]:
        """Yield the text of each file."""
        options = TranscribeOptions(vad=vad)
        with ThreadPoolExecutor(CALLERS) as callers:
            yield from callers.map(lambda path: self._transcriber.transcribe(path, options).text.strip(), paths)


@contextmanager
def opened(name: str, model: Path) -> Iterator[System]:
    """Load one of the systems by name, and free its model at the end."""
    if name == "kascribe":
        settings = WhisperSettings(device=DEVICE, compute_type=COMPUTE_TYPE)
        with closing(Transcriber(settings, model, model.name)) as transcriber:
            yield Kascribe(transcriber)
        return
    peer = faster_whisper.WhisperModel(str(model), device=DEVICE, compute_type=COMPUTE_TYPE)
    yield Sequential(peer) if name == "sequential" else Batched(peer)


SYSTEMS: Final = ("sequential", "batched", "kascribe")
PEERS: Final = SYSTEMS[:2]


def _windows(seconds: float) -> list[dict[str, float]]:
    starts = range(0, max(1, ceil(seconds)), 30)
    return [{"start": float(start), "end": min(start + 30.0, seconds)} for start in starts]
