"""Transcripts of ``kascribe transcribe`` as they are done: printed, written to files, or as lines of JSON."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from rich.progress import TaskID

from kascribe.console.terminal import bars, fitted, notify, one_line, write, write_json
from kascribe.submission.rows import FailureRow
from schemas.errors import JobError
from schemas.options import ExportFormat

if TYPE_CHECKING:
    from kascribe.commands.transcripts.batch import Transcribed
    from kascribe.sources.arguments import Source
    from schemas.transcripts.subtitles.settings import SubtitleSettings
    from schemas.transcripts.transcript import Transcript


class TranscriptRow(BaseModel):
    """One file and its transcript. ``output`` is the file that was written, if one was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    status: Literal["completed", "no_speech", "failed"]
    output: str | None = None
    language: str | None = None
    language_probability: float | None = None
    audio_duration_seconds: float | None = None
    text: str | None = None
    segments: tuple[dict[str, Any], ...] = ()
    flags: tuple[str, ...] = ()
    failure: FailureRow | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """Where transcripts go, and in which form."""

    form: ExportFormat
    directory: Path | None
    may_replace: bool
    is_quiet: bool
    as_json: bool


class Printer:
    """Shows what is being transcribed, on standard error, and passes on what is done. A context manager.

    ``on_fraction`` may be called from any thread, everything else from one.
    """

    def __init__(self, manner: Manner, targets: "Mapping[Source, Path]", subtitles: "SubtitleSettings") -> None:
        self._manner = manner
        self._targets = targets
        self._subtitles = subtitles
        self._bars = bars()
        self._bars.disable = self._bars.disable or manner.is_quiet
        self._tasks: dict[Source, TaskID] = {}
        self._lock = threading.Lock()
        self._expected = self._done = 0
        self._overall: TaskID | None = None
        self._failures: list[str] = []

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()
        if len(self._failures) > 1 or (self._failures and self._expected > 1):
            notify(f"{self._done - len(self._failures)} of {self._expected} done, {len(self._failures)} failed:")
            for failure in self._failures:
                notify(f"  {failure}")

    @property
    def has_failed(self) -> bool:
        """Whether a file has no transcript, or it could not be written."""
        return bool(self._failures)

    def loading(self, model: str) -> None:
        """Show that the model is being loaded, until ``expect`` is called."""
        self._overall = self._bars.add_task(f"loading {one_line(model)}", total=None)

    def expect(self, files: int) -> None:
        """Set how many files there are in all."""
        self._expected = files
        if self._overall is not None:
            self._bars.remove_task(self._overall)
        self._overall = self._bars.add_task(f"0 of {files} done", total=files, visible=files > 1)

    def on_fraction(self, source: "Source", fraction: float | None) -> None:
        """Show how much of a file is done."""
        with self._lock:
            if source not in self._tasks:
                name = fitted(source.name, self._bars.console.width // 2)
                self._tasks[source] = self._bars.add_task(name, total=1.0)
            self._bars.update(self._tasks[source], completed=fraction or 0.0)

    def show(self, done: "Transcribed") -> None:
        """Pass on a transcript, or report why there is none."""
        with self._lock:
            if done.source in self._tasks:
                self._bars.remove_task(self._tasks.pop(done.source))
        self._done += 1
        if self._overall is not None:
            self._bars.update(
                self._overall, completed=self._done, description=f"{self._done} of {self._expected} done"
            )
        # Bars on the same terminal are taken away while something is printed there.
        self._bars.stop()
        try:
            self._show(done)
        finally:
            self._bars.start()

    def _show(self, done: "Transcribed") -> None:
        error = done.error
        target = self._targets.get(done.source)
        if done.transcript is not None:
            try:
                self._pass_on(done.source, done.transcript, target)
            except OSError as writing:
                error = writing
        if error is not None:
            self._fail(done.source, error)
        if self._manner.as_json:
            write_json(_row(done, error, target))

    def _pass_on(self, source: "Source", transcript: "Transcript", target: Path | None) -> None:
        from kascribe.commands.transcripts.targets import write_whole
        from schemas.transcripts.caveats import audio_warnings
        from schemas.transcripts.exports import EXPORTERS

        rendered = EXPORTERS[self._manner.form].render(transcript, self._subtitles)
        if target is not None:
            write_whole(target, rendered)
            if not self._manner.is_quiet:
                notify(f"{source.shown}: written to {target}")
        elif not self._manner.as_json:
            if self._expected > 1 and self._manner.form is ExportFormat.TEXT:
                write(f"==> {one_line(source.shown)} <==")
            write(rendered)
        for warning in audio_warnings(transcript):
            notify(f"{source.shown}: {warning}")

    def _fail(self, source: "Source", error: JobError | OSError) -> None:
        failure = _failure(error)
        reason = f"{failure.reason}: " if failure.reason else ""
        sentence = f"{one_line(source.shown)}: {reason}{failure.message}"
        if failure.remedy:
            sentence += f"\n    {failure.remedy}"
        self._failures.append(sentence)
        if self._expected == 1:
            notify(sentence)


def _failure(error: JobError | OSError) -> FailureRow:
    if isinstance(error, JobError):
        return FailureRow.of(error.reason, str(error))
    return FailureRow.of(None, str(error))


def _row(done: "Transcribed", error: JobError | OSError | None, target: Path | None) -> TranscriptRow:
    row = TranscriptRow(name=done.source.name, source=done.source.location, status="failed")
    if error is not None or done.transcript is None:
        return row.model_copy(update={"failure": _failure(error) if error else None})
    transcript = done.transcript
    return row.model_copy(
        update={
            "status": transcript.status.value,
            "output": str(target) if target else None,
            "language": transcript.language,
            "language_probability": transcript.language_probability,
            "audio_duration_seconds": transcript.audio.audio_duration_seconds,
            "text": transcript.text,
            "segments": tuple(segment.model_dump(mode="json") for segment in transcript.segments),
            "flags": tuple(flag.value for flag in transcript.flags),
        }
    )
