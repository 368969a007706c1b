"""Keeper of transcripts on disk: these files outlast the topics and objects of the embedded stack."""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript

READABLE_FORMATS: Final = (ExportFormat.TEXT, ExportFormat.SRT)

NAME_LIMIT_BYTES: Final = 200
"""Limit of one name in a path. File systems allow 255; a suffix, a job's id and ``.partial`` are added."""

ID_CHARACTERS: Final = 8
"""The part of a job's id or of a name's digest that makes a name unique."""


def relative_name(name: str) -> Path:
    """Return a job's name as a path that cannot leave the folder of transcripts, whatever its parts and length."""
    plain = name.replace("\\", "/").replace("\0", "")
    parts = [_shortened(part) for part in PurePosixPath(plain).parts if part not in ("/", "..", ".")]
    return Path(*parts) if parts else Path("unnamed")


def _shortened(name: str) -> str:
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= NAME_LIMIT_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:ID_CHARACTERS]
    kept = encoded[: NAME_LIMIT_BYTES - ID_CHARACTERS - 1].decode("utf-8", "ignore")
    return f"{kept}~{digest}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file of the drop folder: its name there, and its change time when it was submitted."""

    name: str
    changed_ns: int


@dataclass
class Keeper:
    """Writes files into ``directory``. ``read_transcript`` takes a job's id. Safe to call from any thread.

    A dropped file's transcript has the file's name, which is unique in the folder; any other job's also has part
    of the job's id in its name.
    """

    directory: Path
    read_transcript: Callable[[str], Transcript]
    subtitles: SubtitleSettings = field(default_factory=SubtitleSettings)
    _dropped: dict[str, Dropped] = field(default_factory=dict)
    _newest: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, job_id: str, dropped: Dropped) -> None:
        """Register the file of a job before it is submitted. Earlier jobs of that name become outdated."""
        with self._lock:
            self._dropped[job_id] = dropped
            self._newest[dropped.name] = job_id

    def is_kept(self, dropped: Dropped) -> bool:
        """Return whether the transcript of this name belongs to the current content of the file."""
        try:
            return self._path(relative_name(dropped.name), ".json").stat().st_mtime_ns == dropped.changed_ns
        except OSError:
            return False

    def keep_transcript(self, event: TranscriptEvent) -> Path | None:
        """Write the transcript in every kept form; return the path of the JSON file. Safe to repeat.

        Writes nothing and returns None when a newer file of the same name has been submitted since.
        """
        dropped = self._dropped.get(event.job_id)
        if self._is_outdated(event.job_id):
            return None
        transcript = self.read_transcript(event.job_id)
        name = self._name(event.job_id, event.metadata)
        for exporter in map(EXPORTERS.__getitem__, READABLE_FORMATS):
            _write(self._path(name, f".{exporter.extension}"), exporter.render(transcript, self.subtitles))
        # The JSON file last: its presence implies the others, and its modification time identifies the file.
        path = self._path(name, ".json")
        _write(path, transcript.model_dump_json(indent=2), changed_ns=dropped.changed_ns if dropped else None)
        return path

    def keep_enrichment(self, event: EnrichmentEvent) -> Path | None:
        """Write the results of the enricher, as ``keep_transcript`` does. Safe to repeat."""
        if self._is_outdated(event.job_id):
            return None
        results = {result.profile: result.model_dump(mode="json") for result in event.results}
        path = self._path(self._name(event.job_id, event.metadata), ".enrichment.json")
        _write(path, json.dumps(results, ensure_ascii=False, indent=2) + "\n")
        return path

    def _is_outdated(self, job_id: str) -> bool:
        with self._lock:
            dropped = self._dropped.get(job_id)
            return dropped is not None and self._newest[dropped.name] != job_id

    def _name(self, job_id: str, metadata: dict[str, str]) -> Path:
        dropped = self._dropped.get(job_id)
        if dropped is not None:
            return relative_name(dropped.name)
        if not metadata.get("name"):
            return relative_name(job_id)
        named = relative_name(metadata["name"])
        return named.with_name(f"{named.name}-{job_id[:ID_CHARACTERS]}")

    def _path(self, name: Path, suffix: str) -> Path:
        return self.directory / name.with_name(name.name + suffix)


def _write(path: Path, text: str, *, changed_ns: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    if changed_ns is not None:
        os.utime(partial, ns=(changed_ns, changed_ns))
    partial.replace(path)
