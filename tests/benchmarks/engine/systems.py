"""The systems that are compared. Each is opened in a process of its own, by name."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import faster_whisper

from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.benchmarks.engine.floor import BEAM_SIZE, COMPUTE_TYPE, DEVICE, Floor

CALLERS: Final = 8
"""Files in flight in Kascribe at once."""

PLAIN: Final = "plain loop"
TWO_WORKERS: Final = "two plain workers"
BATCHED: Final = "batched per file"
FLOOR: Final = "floor"
DECODING: Final = "floor, decoding alone"
KASCRIBE: Final = "Kascribe"
SYSTEMS: Final = (PLAIN, TWO_WORKERS, BATCHED, FLOOR, DECODING, KASCRIBE)


class System(Protocol):
    """A way from files to texts."""

    def prepare(self, paths: Sequence[Path]) -> None:
        """Do what is not measured. Blocks."""
        ...

    def texts(self, paths: Sequence[Path]) -> list[str]:
        """Return the text of each file. Blocks; this is what is measured."""
        ...


class FasterWhisper:
    """One of faster-whisper's modes, file by file. ``options`` are those of its ``transcribe``."""

    def __init__(self, transcribe: Callable[..., Any], options: dict[str, object]) -> None:
        self._transcribe = transcribe
        self._options = options

    def prepare(self, paths: Sequence[Path]) -> None:
        """Do nothing: reading and decoding the files is part of the work."""

    def texts(self, paths: Sequence[Path]) -> list[str]:
        """Return the text of each file."""
        texts = []
        for path in paths:
            segments, _ = self._transcribe(str(path), beam_size=BEAM_SIZE, vad_filter=True, **self._options)
            texts.append("".join(segment.text for segment in segments).strip())
        return texts


class Kascribe:
    """The product's entry point to speech to text, with several files in flight."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber

    def prepare(self, paths: Sequence[Path]) -> None:
        """Do nothing: reading and decoding the files is part of the work."""

    def texts(self, paths: Sequence[Path]) -> list[str]:
        """Return the text of each file."""
        options = TranscribeOptions(beam_size=BEAM_SIZE)
        with ThreadPoolExecutor(CALLERS) as callers:
            return list(callers.map(lambda path: self._transcriber.transcribe(path, options).text.strip(), paths))


@contextmanager
def opened(name: str, model: Path, *, fixed: bool) -> Iterator[System]:
    """Load one of the systems. With ``fixed``, faster-whisper decodes as models of fixed length need it.

    Such a model knows no timestamps, with which faster-whisper decodes by default.
    """
    if name == KASCRIBE:
        settings = WhisperSettings(device=DEVICE, compute_type=COMPUTE_TYPE)
        with closing(Transcriber(settings, model, model.name)) as transcriber:
            transcriber.warm_up()
            yield Kascribe(transcriber)
    elif name in (FLOOR, DECODING):
        yield Floor(model, align=name == FLOOR)
    else:
        threads = 1 if name == TWO_WORKERS else 0
        peer = faster_whisper.WhisperModel(
            str(model), device=DEVICE, compute_type=COMPUTE_TYPE, cpu_threads=threads
        )
        if name == BATCHED:
            yield FasterWhisper(faster_whisper.BatchedInferencePipeline(peer).transcribe, {})
        else:
            options: dict[str, object] = {"without_timestamps": True, "condition_on_previous_text": False}
            yield FasterWhisper(peer.transcribe, options if fixed else {})
