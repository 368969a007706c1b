"""The form and the answers of the routes for speech, as the OpenAPI document describes them."""

from http import HTTPStatus
from typing import Any, Final

from producers.gateway.documentation.examples import TRANSCRIPTIONS
from producers.gateway.documentation.exports import EXAMPLE_TEXT, exported_contents
from producers.gateway.documentation.reasons import TRANSCRIPTION_REASONS, UPLOAD_REASONS, WAITING_REASONS
from producers.gateway.documentation.responses import (
    Responses,
    event_stream,
    merged,
    openai_failures,
)
from producers.gateway.forms.form_schema import option_fields
from producers.gateway.openai.answers import Transcription, VerboseTranscription
from producers.gateway.openai.event_stream import delta_event, sent_event
from producers.gateway.openai.speech_request import REFUSED_FIELDS, VAD_FIELDS, Granularity
from schemas.options import ExportFormat
from schemas.transcripts.exports import brief

_SECONDS: Final = 1.5
_EVENTS: Final = b"".join(
    (
        delta_event("one two"),
        delta_event(" three"),
        sent_event({"type": "transcript.text.done", **brief(EXAMPLE_TEXT, audio_duration_seconds=_SECONDS)}),
    )
).decode()


def documented_form() -> dict[str, Any]:
    """Return the description of the form, for ``openapi_extra``."""
    options = {name: field for name, field in option_fields().items() if name not in REFUSED_FIELDS}
    form = {"type": "object", "required": ["file"], "properties": {**options, **_FIELDS}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def documented_answers() -> Responses:
    """Return the answers: a body for each format, a stream of events, and OpenAI's errors."""
    answer: dict[str, Any] = {
        "model": Transcription | VerboseTranscription,
        "description": "The transcript in the requested format; with `stream=true`, its text while it is made.",
        "content": {
            "application/json": {"examples": TRANSCRIPTIONS},
            **exported_contents(),
            **event_stream(_EVENTS),
        },
    }
    failed = openai_failures(*UPLOAD_REASONS, *TRANSCRIPTION_REASONS, *WAITING_REASONS, "model_not_found")
    return merged({HTTPStatus.OK: answer}, failed)


_FIELDS: Final[dict[str, Any]] = {
    "file": {"type": "string", "format": "binary", "description": "The audio, in any format that FFmpeg reads."},
    "tenant": {"type": "string", "description": "The tenant, where no API keys are in use."},
    "model": {
        "type": "string",
        "description": "A name of `GET /v1/models`. Without it, the model that the deployment serves.",
    },
    "prompt": {"type": "string", "description": "The option `initial_prompt`."},
    "keywords[]": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Words and phrases to expect: the option `hotwords`.",
    },
    "response_format": {
        "type": "string",
        "enum": [each.value for each in ExportFormat],
        "default": "json",
        "description": "The format of the answer.",
    },
    "temperature": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Accepted and without effect: nothing is sampled.",
    },
    "timestamp_granularities[]": {
        "type": "array",
        "items": {"type": "string", "enum": [each.value for each in Granularity]},
        "description": "With `verbose_json`: what has times. Without it, segments.",
    },
    "chunking_strategy": {
        "description": "`auto` changes nothing: speech is always cut where it pauses. An object of the type "
        f"`server_vad` sets the voice detector by {', '.join(f'`{name}`' for name in VAD_FIELDS)}.",
        "anyOf": [{"type": "string", "enum": ["auto"]}, {"type": "object"}],
    },
    "stream": {
        "type": "boolean",
        "default": False,
        "description": "Send the text as server-sent events while it is made; with `json` or `text`.",
    },
}
