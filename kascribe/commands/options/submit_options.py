"""The options of ``submit`` alone."""

from typing import Annotated, Final

import typer

from kascribe.commands.options.json_option import json_option
from kascribe.submission.rows import JobRow

JOB: Final = "Job"
"""The panel of the help."""

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER|PATTERN|s3://…|-",
        help="What to transcribe: files, folders (what looks like audio or video in them), quoted patterns such "
        "as '**/*.mp3', objects, prefixes that end in /, or - for standard input.",
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(help="The job's name, of a single source; otherwise the file's.", rich_help_panel=JOB),
]
Interactive = Annotated[bool, typer.Option("--interactive", help="Go before bulk work.", rich_help_panel=JOB)]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Idempotency key: the same key is the same job; without one, the same name, bytes and options.",
        rich_help_panel=JOB,
    ),
]
Again = Annotated[
    bool,
    typer.Option("--again", help="A new job, also for what was submitted before.", rich_help_panel=JOB),
]
WebhookUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Where the jobs' final events are sent: an https address.", rich_help_panel=JOB
    ),
]
Follow = Annotated[bool, typer.Option(help="Wait for the transcripts and show them.", rich_help_panel=JOB)]
AsJson = Annotated[bool, json_option(JobRow, "source, when its job has ended")]
