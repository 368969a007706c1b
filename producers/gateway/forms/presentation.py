"""How a request wants its transcript: as a file of one format, or as JSON with more than the text."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from starlette.datastructures import FormData

from producers.gateway.failures import RequestRefused
from producers.gateway.interactive.job_request import JobRequest
from schemas.errors import Reason
from schemas.options import ExportFormat
from schemas.options.misspelling import did_you_mean

RESPONSE_FORMAT: Final = "response_format"
INCLUDE: Final = "include"
PRESENTATION_FIELDS: Final = frozenset({RESPONSE_FORMAT, INCLUDE})
BODILESS_FORMATS: Final = frozenset({ExportFormat.JSON, ExportFormat.TEXT})
"""Formats for which the text and the event suffice."""


class Part(StrEnum):
    """A part of the transcript that the answer has on request."""

    SEGMENTS = "segments"
    WORDS = "words"
    EXPORTS = "exports"


@dataclass(frozen=True, slots=True)
class Presentation:
    """``response_format`` None is Kascribe's own answer, with the parts that ``include`` names."""

    response_format: ExportFormat | None = None
    include: frozenset[Part] = frozenset()

    @property
    def needs_body(self) -> bool:
        """Whether it takes more of the transcript than its event has."""
        if self.response_format is not None:
            return self.response_format not in BODILESS_FORMATS
        return bool(self.include & {Part.SEGMENTS, Part.WORDS})

    def applied_to(self, request: JobRequest, form: FormData) -> JobRequest:
        """Return the job request with what the parts need. Raises RequestRefused for a contradiction."""
        options = request.options
        if Part.EXPORTS in self.include and not options.exports:
            raise _refused(INCLUDE, "include: exports are requested, but none is made; add exports=srt,vtt")
        if Part.WORDS in self.include and not options.word_timestamps:
            if form.get("word_timestamps"):
                raise _refused(INCLUDE, "include: words need their times; leave word_timestamps out")
            options = options.model_copy(update={"word_timestamps": True})
        return replace(request, options=options, needs_body=self.needs_body)


def presentation_of(form: FormData, *, enriching: bool) -> Presentation:
    """Return how the answer is wanted. Raises RequestRefused for unknown values and for a contradiction."""
    written = form.get(RESPONSE_FORMAT)
    if written and enriching:
        raise _refused(
            RESPONSE_FORMAT,
            "response_format is a field of POST /transcribe: this answer has more than the transcript; "
            "include=segments,words,exports adds parts of it",
        )
    include = frozenset(_part(name) for name in _listed(form))
    if written and include:
        raise _refused(INCLUDE, "include adds to the answer without response_format; leave one of the two out")
    return Presentation(response_format_of(written) if isinstance(written, str) and written else None, include)


def response_format_of(written: str) -> ExportFormat:
    """Return the format. Raises RequestRefused, with the nearest one, for any other name."""
    try:
        return ExportFormat(written.strip().lower())
    except ValueError:
        formats = [each.value for each in ExportFormat]
        raise _refused(
            RESPONSE_FORMAT, f"response_format: there is no {written[:40]!r}: {did_you_mean(written, formats)}"
        ) from None


def _part(name: str) -> Part:
    try:
        return Part(name)
    except ValueError:
        parts = [each.value for each in Part]
        raise _refused(INCLUDE, f"include: there is no {name[:40]!r}: {did_you_mean(name, parts)}") from None


def _listed(form: FormData) -> list[str]:
    values = (value for value in form.getlist(INCLUDE) if isinstance(value, str))
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _refused(field: str, message: str) -> RequestRefused:
    return RequestRefused.because(Reason.INVALID_OPTIONS, message, param=field)
