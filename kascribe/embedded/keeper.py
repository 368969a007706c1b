"""Keeps on disk what was transcribed: the embedded stack's topics and objects end with it, the files do not."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.exports import EXPORTERS
from schemas.options import ExportFormat
from schemas.transcript import Transcript

READABLE_FORMATS: Final = (ExportFormat.TEXT, ExportFormat.SRT)


def relative_name(name: str) -> Path:
    """A job's name as a path below the folder of transcripts, whatever the name tries."""
    plain = name.replace("\\", "/").replace("\0", "")
    parts = [part for part in PurePosixPath(plain).parts if part not in ("/", "..", ".")]
    return Path(*parts) if parts else Path("unnamed")


@dataclass
class Keeper:
    """Writes files into ``directory``. ``read_transcript`` takes a job's id."""

    directory: Path
    read_transcript: Callable[[str], Transcript]
    names: dict[str, str] = field(default_factory=dict)
    """Job id to the name under which the job was submitted here; other jobs go by their own name."""

    def is_kept(self, name: str, *, changed_ns: int) -> bool:
        """Whether a file of this name was transcribed after it was last changed."""
        path = self._path(name, ".json")
        try:
            return path.stat().st_mtime_ns >= changed_ns
        except OSError:
            return False

    def keep_transcript(self, event: TranscriptEvent) -> Path:
        """Writes the transcript in every kept form; returns the path of the whole. Safe to repeat."""
        transcript = self.read_transcript(event.job_id)
        name = self._name(event.job_id, event.metadata)
        for exporter in map(EXPORTERS.__getitem__, READABLE_FORMATS):
            _write(self._path(name, f".{exporter.extension}"), exporter.render(transcript))
        # The whole transcript last: its presence says that the others are there.
        path = self._path(name, ".json")
        _write(path, transcript.model_dump_json(indent=2))
        return path

    def keep_enrichment(self, event: EnrichmentEvent) -> Path:
        """Writes the results of the enricher. Safe to repeat."""
        results = {result.profile: result.model_dump(mode="json") for result in event.results}
        path = self._path(self._name(event.job_id, event.metadata), ".enrichment.json")
        _write(path, json.dumps(results, ensure_ascii=False, indent=2) + "\n")
        return path

    def _name(self, job_id: str, metadata: dict[str, str]) -> str:
        return self.names.get(job_id) or metadata.get("name") or job_id

    def _path(self, name: str, suffix: str) -> Path:
        relative = relative_name(name)
        return self.directory / relative.with_name(relative.name + suffix)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
