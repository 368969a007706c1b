"""The exports of a transcript as bodies of answers, each with an example."""

from collections.abc import Mapping
from typing import Any, Final

from producers.gateway.documentation.responses import SUBTITLES_EXAMPLE, content
from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS

EXAMPLE_TEXT: Final = "one two three"

_EXAMPLES: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.TEXT: f"{EXAMPLE_TEXT}\n",
    ExportFormat.SRT: SUBTITLES_EXAMPLE,
    ExportFormat.VTT: f"WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n{EXAMPLE_TEXT}\n\n",
    ExportFormat.TSV: f"start\tend\ttext\n0\t1500\t{EXAMPLE_TEXT}\n",
}
"""Of the formats that are no JSON."""


def exported_contents() -> dict[str, Any]:
    """Return the ``content`` of an answer that may be in any of the formats that are no JSON."""
    contents: dict[str, Any] = {}
    for export_format, example in _EXAMPLES.items():
        contents |= content(EXPORTERS[export_format].content_type.partition(";")[0], example=example)
    return contents
