"""``kascribe transcribe``: files to text on this machine, with no broker and no bucket."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kascribe.commands import job_options
from kascribe.console.terminal import bars, notify, one_line, write
from schemas.errors import ConfigurationError
from schemas.options import Channels, ExportFormat, Lane, Task

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from models.whisper.progress import Progress as EngineProgress
    from models.whisper.transcriber import Transcriber
    from schemas.options import TranscribeOptions
    from schemas.transcripts.transcript import Transcript


def transcribe(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Audio or video.")],
    language: job_options.Language = None,
    task: job_options.TaskOption = Task.TRANSCRIBE,
    words: job_options.Words = False,
    channels: job_options.ChannelsOption = Channels.MIX,
    audio_track: job_options.AudioTrack = None,
    prompt: job_options.Prompt = None,
    hotwords: job_options.Hotwords = None,
    beam_size: job_options.BeamSize = 5,
    form: Annotated[ExportFormat, typer.Option("--as", help="The form to print or write.")] = ExportFormat.TEXT,
    output: Annotated[Path | None, typer.Option(file_okay=False, help="Write files here, not the screen.")] = None,
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cuda or cpu.")] = None,
) -> None:
    """Transcribe files without a broker."""
    from kascribe.configuration.reading import load
    from kascribe.wiring.engine import opened_transcriber
    from schemas.errors import JobError
    from schemas.transcripts.caveats import audio_warnings
    from schemas.transcripts.exports import EXPORTERS

    options = job_options.transcribe_options(
        language=language,
        task=task,
        word_timestamps=words,
        channels=channels,
        audio_track=audio_track,
        initial_prompt=prompt,
        hotwords=hotwords,
        beam_size=beam_size,
    )
    targets = _targets(files, output, EXPORTERS[form].extension) if output else {}
    settings = load(overrides={"whisper.model": model, "whisper.device": device}).settings
    failed = False
    with opened_transcriber(settings.whisper) as transcriber:
        for file in files:
            try:
                transcript = _transcribed(transcriber, file, options)
                rendered = EXPORTERS[form].render(transcript)
                if output is None:
                    write(rendered)
                else:
                    targets[file].write_text(rendered, encoding="utf-8")
                for warning in audio_warnings(transcript):
                    notify(f"{file}: {warning}")
            except JobError as error:
                notify(f"{file}: {error.reason.value}: {error}")
                failed = True
            except OSError as error:
                notify(f"{file}: {error}")
                failed = True
    if failed:
        raise typer.Exit(1)


def _transcribed(transcriber: "Transcriber", file: Path, options: "TranscribeOptions") -> "Transcript":
    """Transcribe one file. Its progress bar is removed before the transcript is printed."""
    with bars() as shown:
        bar = shown.add_task(one_line(file.name), total=1.0)
        return transcriber.transcribe(
            file,
            options,
            on_progress=partial(_draw, shown, bar),
            cancelled=lambda: False,
            lane=Lane.INTERACTIVE,
        )


def _targets(files: list[Path], directory: Path, extension: str) -> dict[Path, Path]:
    """Return the target of each file, in a directory that is created if needed.

    Raises ConfigurationError, before anything is transcribed.
    """
    sources: dict[str, Path] = {}
    for file in files:
        other = sources.setdefault(file.name, file)
        if other != file:
            raise ConfigurationError(
                f"{other} and {file} would both be written to {directory / file.name}.{extension}: give each an "
                "--output of its own"
            )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output {directory} cannot be made: {error.strerror}") from error
    return {file: directory / f"{file.name}.{extension}" for file in files}


def _draw(shown: "Progress", bar: "TaskID", progress: "EngineProgress") -> None:
    shown.update(bar, completed=progress.fraction)
