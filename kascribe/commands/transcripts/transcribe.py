"""``kascribe transcribe``: files to text on this machine, with no broker and no bucket."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kascribe.commands.options import completions, job_options
from kascribe.commands.options.decoding_options import decoding_options
from kascribe.commands.options.json_option import json_option
from kascribe.commands.transcripts.printing import Manner, Printer, TranscriptRow
from kascribe.console.terminal import notify
from kascribe.process.interruption import INTERRUPTED
from schemas.options import Channels, ExportFormat, Task

if TYPE_CHECKING:
    from schemas.options import TranscribeOptions

_TIMED_BY_WORDS: Final = (ExportFormat.SRT, ExportFormat.VTT)
"""Forms with cues that begin and end with words, not with shares of a segment's time."""


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER|PATTERN|-",
        help="Audio or video: files, folders (what looks like audio or video in them), quoted patterns such as "
        "'**/*.mp3', or - for standard input.",
        show_default=False,
    ),
]
OutputDirectory = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        "--output",
        "-o",
        metavar="FOLDER",
        help="Write FILE.txt, FILE.srt and so on here, not to the screen.",
        rich_help_panel=job_options.OUTPUT,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace files that are there.", rich_help_panel=job_options.OUTPUT)
]
Name = Annotated[
    str | None,
    typer.Option(help="The name of standard input, or of a single file.", rich_help_panel=job_options.OUTPUT),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="A model's name or directory.", autocompletion=completions.models),
]
Device = Annotated[
    str | None,
    typer.Option(metavar="auto|cuda|cpu", help="Where to run it.", autocompletion=completions.devices),
]


@decoding_options
def transcribe(
    files: Files,
    language: job_options.Language = None,
    languages: job_options.Languages = None,
    multilingual: job_options.Multilingual = False,
    task: job_options.TaskOption = Task.TRANSCRIBE,
    words: job_options.Words = False,
    channels: job_options.ChannelsOption = Channels.MIX,
    audio_track: job_options.AudioTrack = None,
    prompt: job_options.Prompt = None,
    hotwords: job_options.Hotwords = None,
    beam_size: job_options.BeamSize = 5,
    form: job_options.FormOption = ExportFormat.TEXT,
    output: OutputDirectory = None,
    force: Force = False,
    name: Name = None,
    quiet: job_options.Quiet = False,
    as_json: Annotated[bool, json_option(TranscriptRow, "file")] = False,
    model: Model = None,
    device: Device = None,
    *,
    decoding: dict[str, str],
) -> None:
    """Transcribe files on this machine, without a broker and without a network.

    A file that fails stops no other, and the exit code is 1. The model is loaded once. Without one,
    `kascribe models pull large-v3-turbo` fetches it, and --model selftest tries the installation.

    Examples:
        $ kascribe transcribe meeting.m4a
        $ kascribe transcribe recordings/ --as srt --output-dir subtitles
        $ kascribe transcribe '**/*.mp3' --json | jq -r '.name + ": " + .text'
        $ ffmpeg -i talk.mkv -f wav - | kascribe transcribe - --as vtt > talk.vtt
    """
    options = job_options.transcribe_options(
        language=language,
        languages=languages,
        multilingual=multilingual,
        task=task,
        word_timestamps=words or form in _TIMED_BY_WORDS,
        channels=channels,
        audio_track=audio_track,
        initial_prompt=prompt,
        hotwords=hotwords,
        beam_size=beam_size,
        **decoding,
    )
    manner = Manner(form, output, may_replace=force, is_quiet=quiet, as_json=as_json)
    if _run(files, name, options, manner, {"whisper.model": model, "whisper.device": device}):
        raise typer.Exit(1)


def _run(
    files: list[str],
    name: str | None,
    options: "TranscribeOptions",
    manner: Manner,
    overrides: dict[str, object],
) -> bool:
    """Transcribe what the arguments name; return whether one failed."""
    from kascribe.capacity import files_at_once
    from kascribe.commands.transcripts.batch import Batch
    from kascribe.commands.transcripts.local_model import opened_model
    from kascribe.commands.transcripts.targets import targets_of
    from kascribe.configuration.reading import load
    from kascribe.sources.arguments import sources_of
    from kascribe.sources.standard_input import standard_input
    from models.media.pool import decoder_processes
    from schemas.transcripts.exports import EXPORTERS

    with standard_input(name) as read_input:
        named = sources_of(files, standard_input=read_input)
        sources = named.named(name)
        extension = EXPORTERS[manner.form].extension
        directory = manner.directory
        targets = targets_of(sources, directory, extension, may_replace=manner.may_replace) if directory else {}
        if not manner.is_quiet:
            for sentence in named.left_out_sentences():
                notify(sentence)
        loaded = load(overrides=overrides)
        settings = loaded.settings
        with ExitStack() as resources:
            printer = resources.enter_context(Printer(manner, targets, settings.subtitles))
            printer.loading(settings.whisper.model)
            transcriber = resources.enter_context(opened_model(settings.whisper))
            printer.expect(len(sources))
            most = files_at_once(
                device=transcriber.provenance.device, decoder_processes=decoder_processes(settings.whisper)
            )
            at_once = min(len(sources), most)
            batch = Batch(transcriber, options, at_once=at_once, on_fraction=printer.on_fraction)
            try:
                with closing(batch.run(sources)) as transcribed:
                    for each in transcribed:
                        printer.show(each)
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None
    return printer.has_failed
