"""Word times of Kascribe and of faster-whisper's sequential mode on the same recordings and weights.

What is heard can be kept in a directory, a file per recording and system, so that an interrupted run goes on.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from faster_whisper import WhisperModel

from models.whisper.transcriber import Transcriber
from schemas.errors import JobError
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import Transcript
from tests.benchmarks.speech.corpus import Recording

COMPUTE_TYPE: Final = "int8"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and its times in seconds."""

    text: str
    start: float
    end: float


def transcripts(
    recordings: Iterable[Recording], model: Path, *, keep: Path | None = None
) -> Iterator[tuple[Recording, Transcript]]:
    """Yield Kascribe's transcripts with words; omit recordings that cannot be transcribed. Blocks for minutes."""
    settings = WhisperSettings(device="cpu", compute_type=COMPUTE_TYPE, decoder_processes=1)
    with closing(Transcriber(settings, model, "base")) as transcriber:
        for recording in recordings:
            file = _file(keep, recording, "kascribe")
            if file is not None and file.is_file():
                yield recording, Transcript.model_validate_json(file.read_bytes())
                continue
            _report("kascribe", recording)
            try:
                made = transcriber.transcribe(recording.path, TranscribeOptions(word_timestamps=True))
            except JobError as error:
                print(f"{recording.name}: {error}", file=sys.stderr)
                continue
            if file is not None:
                file.write_text(made.model_dump_json(), encoding="utf-8")
            yield recording, made


def words_of(transcript: Transcript) -> list[Spoken]:
    """Return the words of a transcript."""
    return [
        Spoken(word.word, word.start, word.end) for segment in transcript.segments for word in segment.words or ()
    ]


class FasterWhisper:
    """faster-whisper's sequential mode with its defaults, VAD and word times. Loads the model at first need."""

    def __init__(self, model: Path, *, keep: Path | None = None) -> None:
        self._directory = model
        self._keep = keep
        self._model: WhisperModel | None = None

    def words(self, recording: Recording) -> list[Spoken]:
        """Return the words of a recording. Blocks for seconds."""
        file = _file(self._keep, recording, "faster-whisper")
        if file is not None and file.is_file():
            return [Spoken(**word) for word in json.loads(file.read_text(encoding="utf-8"))]
        _report("faster-whisper", recording)
        if self._model is None:
            self._model = WhisperModel(str(self._directory), device="cpu", compute_type=COMPUTE_TYPE)
        segments, _ = self._model.transcribe(str(recording.path), word_timestamps=True, vad_filter=True)
        found = [{"text": word.word, "start": word.start, "end": word.end} for word in _words(segments)]
        if file is not None:
            file.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
        return [Spoken(**word) for word in found]


def _words(segments: Iterable[Any]) -> Iterator[Any]:
    for segment in segments:
        yield from segment.words or ()


def _file(keep: Path | None, recording: Recording, system: str) -> Path | None:
    if keep is None:
        return None
    keep.mkdir(parents=True, exist_ok=True)
    return keep / f"{recording.name.replace('/', '_')}.{system}.json"


def _report(system: str, recording: Recording) -> None:
    print(f"{system}: {recording.name}", file=sys.stderr, flush=True)
