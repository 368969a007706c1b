"""The rows of the table, the most telling ones first: a run that is cut short has measured those."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from kascribe.capacity import files_at_once, transcriber_limits
from models.media.pool import decoder_processes
from schemas.settings import RuntimeSettings, WhisperSettings
from tests.gpu.bench.floor import Floor, Windows, prepared_windows
from tests.gpu.bench.load import Load
from tests.gpu.bench.peers import FasterWhisper
from tests.gpu.bench.product import Kascribe
from tests.gpu.bench.subjects import KOREAN, MIXED, OPEN, SHORT, WORDS, Arm, Row, Subject

INSTALLED: Final = "as installed"


@dataclass
class Inputs:
    """What the arms are made of.

    ``model`` returns the directory of a language's model; what is learned goes to the report's ``facts``.
    """

    load: Load
    device: str
    mel_bands: int
    model: Callable[[str], Path]
    facts: dict[str, Any]

    @cached_property
    def windows(self) -> Windows:
        """The load's windows, decoded when they are first needed."""
        windows = prepared_windows(self.load.mixed, mel_bands=self.mel_bands, processes=self.decoders)
        self.facts["load_windows"] = len(windows.features)
        self.facts["decoders"] = self.decoders
        self.facts["decoders_times_real_time"] = round(windows.decoders_times_real_time)
        return windows

    @property
    def decoders(self) -> int:
        """Decoding processes, as many as Kascribe starts by itself."""
        return decoder_processes(WhisperSettings())

    @property
    def compute_type(self) -> str:
        """The type in which floor and faster-whisper compute: Kascribe's default on that device."""
        return "float16" if self.device == "cuda" else "int8"

    def floor(self, language: str, replicas: int) -> Subject:
        """Load CTranslate2 alone."""
        return Floor(
            self.model(language),
            self.windows,
            device=self.device,
            compute_type=self.compute_type,
            language=language,
            replicas=replicas,
        )

    def faster_whisper(self, language: str) -> Subject:
        """Load faster-whisper."""
        return FasterWhisper(
            self.model(language),
            self.load,
            device=self.device,
            compute_type=self.compute_type,
            language=language,
        )

    def kascribe(self, language: str, settings: WhisperSettings, callers: int) -> Subject:
        """Start a transcriber and warm it up."""
        return Kascribe(self.model(language), self.load, settings, language=language, callers=callers)


def arms(inputs: Inputs, *, seconds_scale: float = 1.0, only: str = "") -> list[Arm]:
    """Return the arms in the order in which they are measured, with the rows whose names match ``only``."""
    planned = _on_gpu(inputs) if inputs.device == "cuda" else _on_cpu(inputs)
    chosen = [
        Arm(
            [replace(row, seconds=row.seconds * seconds_scale) for row in arm.rows if re.search(only, row.name)],
            arm.open,
        )
        for arm in planned
    ]
    return [arm for arm in chosen if arm.rows]


def _floor(load: str, replicas: int, batches: Sequence[int]) -> list[Row]:
    return [Row("floor", load, f"{replicas} at once, {batch} rows", 8.0, batch) for batch in batches]


def _rows(kind: str, detail: str, seconds: dict[str, float], batch: int = 0) -> list[Row]:
    return [Row(kind, load, detail, each, batch) for load, each in seconds.items()]


def _on_gpu(inputs: Inputs) -> list[Arm]:
    callers = transcriber_limits(RuntimeSettings(), device="cuda").worker_threads
    installed = WhisperSettings(device="cuda")
    english = {MIXED: 15.0, SHORT: 10.0}
    return [
        Arm(_floor(MIXED, 1, (16, 32, 64)), partial(inputs.floor, "en", 1)),
        Arm(
            _rows("Kascribe", INSTALLED, {**english, WORDS: 10.0, OPEN: 10.0}),
            partial(inputs.kascribe, "en", installed, callers),
        ),
        Arm(_floor(MIXED, 2, (16, 32, 64)), partial(inputs.floor, "en", 2)),
        Arm(
            [
                *_rows("plain", "one file after the other", english),
                *_rows("batched", "16 rows", english, 16),
                *_rows("batched", "64 rows", english, 64),
            ],
            partial(inputs.faster_whisper, "en"),
        ),
        _tuned(inputs, english, callers, rows=64, replicas=2),
        _tuned(inputs, english, callers, rows=32, replicas=3),
        Arm(_floor(KOREAN, 2, (32,)), partial(inputs.floor, "ko", 2)),
        Arm(_rows("Kascribe", INSTALLED, {KOREAN: 12.0}), partial(inputs.kascribe, "ko", installed, callers)),
        Arm(_rows("batched", "16 rows", {KOREAN: 10.0}, 16), partial(inputs.faster_whisper, "ko")),
    ]


def _on_cpu(inputs: Inputs) -> list[Arm]:
    """Return arms of every kind with small batches: they show that the benchmark runs, and compare a little."""
    callers = files_at_once(device="cpu", decoder_processes=inputs.decoders)
    installed = WhisperSettings(device="cpu")
    english = {MIXED: 10.0, SHORT: 10.0}
    return [
        Arm(_floor(MIXED, 1, (1, 2)), partial(inputs.floor, "en", 1)),
        Arm(
            _rows("Kascribe", INSTALLED, {**english, WORDS: 10.0, OPEN: 10.0}),
            partial(inputs.kascribe, "en", installed, callers),
        ),
        Arm(_floor(MIXED, 2, (1,)), partial(inputs.floor, "en", 2)),
        Arm(
            [*_rows("plain", "one file after the other", english), *_rows("batched", "2 rows", english, 2)],
            partial(inputs.faster_whisper, "en"),
        ),
        _tuned(inputs, english, callers, rows=2, replicas=2),
        Arm(_floor(KOREAN, 2, (1,)), partial(inputs.floor, "ko", 2)),
        Arm(_rows("Kascribe", INSTALLED, {KOREAN: 10.0}), partial(inputs.kascribe, "ko", installed, callers)),
        Arm(_rows("batched", "2 rows", {KOREAN: 10.0}, 2), partial(inputs.faster_whisper, "ko")),
    ]


def _tuned(inputs: Inputs, seconds: dict[str, float], callers: int, *, rows: int, replicas: int) -> Arm:
    settings = WhisperSettings(
        device="cuda" if inputs.device == "cuda" else "cpu", batch_size=rows, replicas=replicas
    )
    detail = f"{replicas} at once, {rows} rows"
    return Arm(_rows("Kascribe", detail, seconds), partial(inputs.kascribe, "en", settings, callers))
