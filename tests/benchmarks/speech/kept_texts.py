"""A file of texts that slow systems gave, so that the next run needs only the system that changed."""

import json
from collections.abc import Collection, Iterator
from importlib.metadata import version
from pathlib import Path

from models.whisper.provenance import model_sha256
from tests.benchmarks.speech.systems import COMPUTE_TYPE


class KeptTexts:
    """Texts by system and recording, written to a file after each; without a file, kept in memory only.

    A file of another model or of other versions of the libraries is not used, and is overwritten.
    """

    def __init__(self, file: Path | None, model: Path) -> None:
        self._file = file
        self._origin = {
            "model": model_sha256(model),
            "compute_type": COMPUTE_TYPE,
            **{library: version(library) for library in ("faster-whisper", "ctranslate2")},
        }
        self._texts: dict[str, dict[str, str]] = {}
        if file is not None and file.is_file():
            content = json.loads(file.read_text(encoding="utf-8"))
            self._texts = content["texts"] if content["origin"] == self._origin else {}

    def missing(self, system: str, names: Collection[str]) -> list[str]:
        """Return the names of the recordings of which it holds no text of this system."""
        return [name for name in names if name not in self._texts.get(system, {})]

    def add(self, name: str, texts: Iterator[tuple[str, str]]) -> None:
        """Keep the texts of a system as they come: pairs of recording and text. Blocks."""
        of_system = self._texts.setdefault(name, {})
        for recording, text in texts:
            of_system[recording] = text
            self._write()

    def of(self, system: str, recording: str) -> str:
        """Return a text that it holds."""
        return self._texts[system][recording]

    def _write(self) -> None:
        if self._file is not None:
            content = {"origin": self._origin, "texts": self._texts}
            self._file.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
