"""What the OpenAPI document says of the routes of jobs."""

from http import HTTPStatus
from typing import Any, Final

from producers.gateway.documentation.examples import TRANSCRIPTIONS
from producers.gateway.documentation.exports import exported_contents
from producers.gateway.documentation.reasons import TRANSCRIPTION_REASONS, UPLOAD_REASONS
from producers.gateway.documentation.responses import failures, merged
from producers.gateway.documentation.tags import Tag
from producers.gateway.forms.form_schema import form_of
from producers.gateway.jobs.answers import (
    EnrichmentAcceptedAnswer,
    EnrichmentsAnswer,
    JobAcceptedAnswer,
    JobCancelledAnswer,
    JobDeletedAnswer,
)
from schemas.errors import Reason
from schemas.events import AudioReference
from schemas.options import Lane
from schemas.webhooks.addresses import URL_CHARACTERS

Route = dict[str, Any]

_TEXT: Final = {"type": "string"}
_WEBHOOK: Final[dict[str, Any]] = {
    **_TEXT,
    "maxLength": URL_CHARACTERS,
    "examples": ["https://hooks.example/kascribe"],
    "description": "Where the job's final events are sent, signed: an https address (docs/webhooks.md).",
}
_METADATA: Final = "The caller's own pairs, repeated in every event of the job."
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Requests with the same key are the same job; with other audio or options they are refused.",
    "schema": {"type": "string", "maxLength": 512},
    "example": "call-17",
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "An ETag of an earlier answer: 304 if it is still the same.",
    "schema": _TEXT,
}
_LOCATION: Final = {"Location": {"description": "The path of what was accepted.", "schema": _TEXT}}
_CACHE_HEADERS: Final = {
    "ETag": {"description": "For If-None-Match.", "schema": _TEXT},
    "Cache-Control": {"description": "private, no-cache", "schema": _TEXT},
}
_ENRICHING: Final[dict[str, Any]] = {
    "profiles": {
        "type": "array",
        "items": _TEXT,
        "maxItems": 16,
        "examples": [["summary", "action_items"]],
        "description": "Profiles to apply.",
    },
    "instruction": {
        **_TEXT,
        "maxLength": 4_000,
        "description": "What the language model does with the text, in your words.",
    },
    "answer_language": {
        **_TEXT,
        "maxLength": 64,
        "description": "Language of the answers.",
    },
}


def _submit_body() -> dict[str, Any]:
    form = form_of(enriching=True)["requestBody"]["content"]["multipart/form-data"]["schema"]
    lane = {**_TEXT, "enum": list(Lane), "description": "bulk (the default), or interactive: a person waits."}
    pairs = {**_TEXT, "description": f"{_METADATA} name=value pairs separated by commas, or an object in JSON."}
    reference = AudioReference.model_json_schema(ref_template="#/components/schemas/{model}")
    fields = {name: reference["properties"][name] for name in ("uri", "version_id", "etag", "lane", "tenant")}
    named = {
        "type": "object",
        "required": ["uri"],
        "additionalProperties": False,
        "properties": {
            **fields,
            "lane": lane,
            "options": {"$ref": "#/components/schemas/TranscribeOptions"},
            "enrich": {"$ref": "#/components/schemas/EnrichOptions"},
            "webhook_url": _WEBHOOK,
            "metadata": {
                "type": "object",
                "additionalProperties": _TEXT,
                "description": _METADATA,
            },
        },
    }
    fields_of_form = {
        **form,
        "properties": {**form["properties"], "lane": lane, "metadata": pairs, "webhook_url": _WEBHOOK},
    }
    example = {"uri": "s3://audio/call.wav", "options": {"language": "ko", "word_timestamps": True}}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": fields_of_form},
            "application/json": {"schema": named, "example": example},
        },
    }


def _enrich_body() -> dict[str, Any]:
    schema = {"type": "object", "properties": _ENRICHING, "additionalProperties": False}
    names = {**_TEXT, "description": "Separated by commas."}
    form = {**schema, "properties": {**_ENRICHING, "profiles": names}}
    return {
        "required": True,
        "content": {
            "application/json": {"schema": schema, "example": {"profiles": ["summary"]}},
            "multipart/form-data": {"schema": form},
            "application/x-www-form-urlencoded": {"schema": form},
        },
    }


SUBMIT: Final[Route] = {
    "tags": [Tag.JOBS],
    "summary": "Submit a job",
    "description": "Transcribe an upload, or an object of an allowed bucket, without waiting for it. The answer "
    "comes when the job is stored and the broker has its reference; from then on it survives any restart.",
    "status_code": HTTPStatus.ACCEPTED,
    "response_model": JobAcceptedAnswer,
    "responses": merged(
        {HTTPStatus.ACCEPTED: {"description": "The job is accepted.", "headers": _LOCATION}},
        failures(
            *UPLOAD_REASONS,
            "invalid_json",
            "body_too_large",
            "unsupported_media_type",
            "client_gone",
            "idempotency_key_reused",
            "enrichment_off",
            Reason.SOURCE_NOT_ALLOWED,
            Reason.WEBHOOK_NOT_ALLOWED,
        ),
    ),
    "openapi_extra": {"parameters": [_IDEMPOTENCY_KEY], "requestBody": _submit_body()},
}

TRANSCRIPT: Final[Route] = {
    "tags": [Tag.JOBS],
    "summary": "Read a transcript",
    "description": "In any format, rendered from the stored transcript: `full` (Kascribe's own, with all that is "
    "known), OpenAI's `json` and `verbose_json`, `text`, `srt`, `vtt`, `tsv`, and the results of Amazon "
    "Transcribe (`aws`) and Deepgram (`deepgram`), which need a job with `word_timestamps`. A failed job answers "
    "with its failure.",
    "response_model": None,
    "responses": merged(
        {
            HTTPStatus.OK: {
                "description": "The transcript.",
                "headers": _CACHE_HEADERS,
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "description": "As `as` has it; `full` is a Transcript."},
                        "examples": TRANSCRIPTIONS,
                    },
                    **exported_contents(),
                },
            },
            HTTPStatus.NOT_MODIFIED: {"description": "As If-None-Match has it.", "headers": _CACHE_HEADERS},
        },
        failures(
            "job_not_found",
            "history_unavailable",
            "not_finished",
            "job_cancelled",
            "words_missing",
            "transcript_gone",
            "invalid_request",
            *TRANSCRIPTION_REASONS,
            Reason.INVALID_EVENT,
            Reason.INVALID_OPTIONS,
            Reason.SOURCE_NOT_ALLOWED,
            Reason.DEPENDENCY_DOWN,
        ),
    ),
    "openapi_extra": {"parameters": [_IF_NONE_MATCH]},
}

ENRICHMENTS: Final[Route] = {
    "tags": [Tag.JOBS],
    "summary": "Read the enrichments",
    "description": "All finished ones of a job, whole, one for each set of options.",
    "response_model": EnrichmentsAnswer,
    "responses": failures("job_not_found", "history_unavailable", Reason.INVALID_EVENT, Reason.DEPENDENCY_DOWN),
}

ENRICH: Final[Route] = {
    "tags": [Tag.JOBS],
    "summary": "Enrich a finished job",
    "description": "Ask the language model about a transcript that is there, without its audio. Equal options "
    "have one result, however often they are requested.",
    "status_code": HTTPStatus.ACCEPTED,
    "response_model": EnrichmentAcceptedAnswer,
    "responses": merged(
        {HTTPStatus.ACCEPTED: {"description": "The enrichment is requested, or there.", "headers": _LOCATION}},
        failures(
            "job_not_found",
            "history_unavailable",
            "not_finished",
            "job_cancelled",
            "unsupported_media_type",
            "invalid_form",
            "invalid_json",
            "body_too_large",
            "upload_stalled",
            "client_gone",
            "disk_full",
            "enrichment_off",
            *TRANSCRIPTION_REASONS,
            Reason.INVALID_EVENT,
            Reason.INVALID_OPTIONS,
            Reason.SOURCE_NOT_ALLOWED,
            Reason.DEPENDENCY_DOWN,
        ),
    ),
    "openapi_extra": {"requestBody": _enrich_body()},
}

DELETE: Final[Route] = {
    "tags": [Tag.JOBS],
    "summary": "Cancel or delete a job",
    "description": "A job that is not transcribed yet is cancelled (202). Any other is deleted (200) with all "
    "that is stored for it: transcript, exports, enrichments, failures and the uploaded file. A transcript that "
    "another job uses stays for that job. `source=true` also deletes the object that was dropped or named by "
    "s3://, in the deployment's buckets only. Afterwards the job does not exist, its copy in the archive goes, "
    "and the same request runs it again.",
    "response_model": JobDeletedAnswer,
    "responses": merged(
        {
            HTTPStatus.ACCEPTED: {
                "model": JobCancelledAnswer,
                "description": "The job's cancellation is published.",
                "headers": _LOCATION,
            }
        },
        failures("job_not_found", "history_unavailable", Reason.INVALID_EVENT, Reason.DEPENDENCY_DOWN),
    ),
}
