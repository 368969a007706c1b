"""Kascribe and faster-whisper, with and without ``multilingual``, as functions from sound to timed segments."""

import json
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import faster_whisper
import numpy as np

from models.media.speech.windows import SAMPLE_RATE_HERTZ
from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.benchmarks.languages.mixes import Mix

LISTENERS: Final = ("kascribe", "kascribe multilingual", "faster-whisper", "faster-whisper multilingual")
ALONE: Final = "faster-whisper that knows the language"
"""Gives the text of a recording that has none; not Kascribe, which would gain by it."""
COMPUTE_TYPE: Final = "int8"


@dataclass(frozen=True, slots=True)
class Heard:
    """A segment and its language."""

    start_seconds: float
    end_seconds: float
    text: str
    language: str | None

    def distance_seconds(self, seconds: float) -> float:
        """Return how far a moment is from the segment; 0 inside."""
        return max(0.0, self.start_seconds - seconds, seconds - self.end_seconds)


Listen = Callable[[Path, Mix], list[Heard]]


class KeptResults:
    """Results by listener and file, in a file of JSON lines if one is named, so that a run can be resumed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._results: dict[tuple[str, str], list[Heard]] = {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._results[entry["listener"], entry["name"]] = [Heard(**each) for each in entry["heard"]]

    def has(self, listener: str, name: str) -> bool:
        """Whether there is a result."""
        return (listener, name) in self._results

    def of(self, listener: str, name: str) -> list[Heard]:
        """Return a result."""
        return self._results[listener, name]

    def add(self, listener: str, name: str, heard: list[Heard]) -> None:
        """Keep a result."""
        self._results[listener, name] = heard
        if self._path is not None:
            entry = {"listener": listener, "name": name, "heard": [asdict(each) for each in heard]}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def listen(listener: str, mixes: Sequence[Mix], model: Path, kept: KeptResults) -> None:
    """Transcribe the mixes that have no kept result."""
    missing = [mix for mix in mixes if not kept.has(listener, mix.name)]
    if not missing:
        return
    print(f"{listener}: {len(missing)} files", file=sys.stderr, flush=True)
    with _opened(listener, model) as hear, tempfile.TemporaryDirectory() as directory:
        for mix in missing:
            path = Path(directory) / "mix.wav"
            _write(path, mix)
            kept.add(listener, mix.name, hear(path, mix))


@contextmanager
def _opened(listener: str, model: Path) -> Iterator[Listen]:
    multilingual = listener.endswith("multilingual")
    if not listener.startswith("kascribe"):
        peer = faster_whisper.WhisperModel(str(model), device="cpu", compute_type=COMPUTE_TYPE, cpu_threads=1)
        peer.model = _WatchedModel(peer.model)
        yield lambda path, mix: _with_peer(
            peer, path, multilingual, mix.languages[0] if listener == ALONE else None
        )
        return
    transcriber = Transcriber(WhisperSettings(device="cpu", compute_type=COMPUTE_TYPE), model, model.name)
    transcriber.load()
    try:
        yield lambda path, _: _with_kascribe(transcriber, path, multilingual)
    finally:
        transcriber.close()


def _with_kascribe(transcriber: Transcriber, path: Path, multilingual: bool) -> list[Heard]:
    transcript = transcriber.transcribe(path, TranscribeOptions(multilingual=multilingual))
    return [Heard(each.start, each.end, each.text, each.language) for each in transcript.segments]


class _WatchedModel:
    """CTranslate2's model, which remembers what it detected last: faster-whisper's segments carry no language."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.detected: str | None = None

    def detect_language(self, encoded: Any) -> Any:
        """Detect, and remember."""
        found = self._model.detect_language(encoded)
        self.detected = found[0][0][0].strip("<|>")
        return found

    def __getattr__(self, name: str) -> Any:
        """Return everything else from the model."""
        return getattr(self._model, name)


def _with_peer(peer: Any, path: Path, multilingual: bool, language: str | None) -> list[Heard]:
    segments, info = peer.transcribe(str(path), vad_filter=True, multilingual=multilingual, language=language)
    return [
        Heard(each.start, each.end, each.text, peer.model.detected if multilingual else info.language)
        for each in segments
    ]


def _write(path: Path, mix: Mix) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HERTZ)
        file.writeframes((mix.samples * 32_767).astype(np.int16).tobytes())
