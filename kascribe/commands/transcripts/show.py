"""``kascribe show``: one job's transcript in any form."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kascribe.console.terminal import notify, write
from schemas.options import ExportFormat

if TYPE_CHECKING:
    from schemas.transcripts.transcript import Transcript


def show(
    job: Annotated[str, typer.Argument(help="A job id, or a transcript's JSON file.")],
    form: Annotated[ExportFormat, typer.Option("--as", help="The form to print.")] = ExportFormat.TEXT,
) -> None:
    """Print a transcript as text, srt, vtt, tsv, json or verbose_json.

    Examples:
        $ kascribe show 5f1c0d7a9b3e4c2d8a6f7b1e0c9d8e7f --as srt > call.srt
        $ kascribe show transcript.json --as vtt
    """
    from kascribe.commands.settings import client_settings
    from schemas.errors import ConfigurationError
    from schemas.transcripts.caveats import audio_warnings
    from schemas.transcripts.exports import EXPORTERS
    from schemas.transcripts.transcript import Transcript

    path = Path(job)
    if path.is_file():
        try:
            transcript = Transcript.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ConfigurationError(f"{job} is not a transcript's JSON file") from error
    else:
        transcript = _stored(job)
    write(EXPORTERS[form].render(transcript, client_settings().settings.subtitles))
    for warning in audio_warnings(transcript):
        notify(f"{job}: {warning}")


def _stored(job_id: str) -> "Transcript":
    from kascribe.commands.settings import stored_results
    from kascribe.results.stored_transcript import stored_transcript
    from producers.results import ResultStore

    return stored_transcript(ResultStore(stored_results().settings.s3), job_id)
