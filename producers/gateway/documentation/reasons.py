"""The reasons of failures over HTTP: status, meaning and an example of the message. Every reason has an entry.

What a reason of a dead letter means for operators is in ``docs/reasons.md``; these sentences are for callers.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from producers.gateway.failures import STATUS_BY_REASON
from schemas.errors import Reason


class HttpReason(NamedTuple):
    """A reason as callers meet it: its status and what it means, in a sentence."""

    status: HTTPStatus
    meaning: str


def _job(reason: Reason, meaning: str) -> HttpReason:
    return HttpReason(STATUS_BY_REASON[reason], meaning)


HTTP_REASONS: Final[Mapping[str, HttpReason]] = {
    Reason.INVALID_EVENT: _job(Reason.INVALID_EVENT, "The event of the job could not be read."),
    Reason.INVALID_OPTIONS: _job(
        Reason.INVALID_OPTIONS, "A field is unknown or its value invalid; the message names the nearest valid one."
    ),
    Reason.KEY_REUSED: _job(
        Reason.KEY_REUSED, "The idempotency key names a finished job of other audio, options or tenant."
    ),
    Reason.SOURCE_NOT_ALLOWED: _job(Reason.SOURCE_NOT_ALLOWED, "The object is outside the allowed buckets."),
    Reason.AUDIO_NOT_FOUND: _job(Reason.AUDIO_NOT_FOUND, "The audio is not in the bucket."),
    Reason.AUDIO_FORBIDDEN: _job(Reason.AUDIO_FORBIDDEN, "The bucket does not let Kascribe read the audio."),
    Reason.AUDIO_TOO_LARGE: _job(Reason.AUDIO_TOO_LARGE, "The file, or what it decodes to, is too large."),
    Reason.AUDIO_TOO_LONG: _job(Reason.AUDIO_TOO_LONG, "The audio is longer than the limit in seconds."),
    Reason.AUDIO_EMPTY: _job(Reason.AUDIO_EMPTY, "The file has no bytes, or no samples."),
    Reason.AUDIO_UNDECODABLE: _job(Reason.AUDIO_UNDECODABLE, "The file is no audio that can be decoded."),
    Reason.ENGINE_FAILED: _job(Reason.ENGINE_FAILED, "The speech model failed for this file, several times."),
    Reason.ENRICHMENT_INVALID: _job(
        Reason.ENRICHMENT_INVALID, "The language model's answers did not pass validation."
    ),
    Reason.ENRICHMENT_FAILED: _job(Reason.ENRICHMENT_FAILED, "The language model server failed the request."),
    Reason.WEBHOOK_NOT_ALLOWED: _job(
        Reason.WEBHOOK_NOT_ALLOWED, "No webhook may be sent to that URL; the message says what to change."
    ),
    Reason.WEBHOOK_REFUSED: _job(Reason.WEBHOOK_REFUSED, "The receiver of a webhook does not take the event."),
    Reason.WEBHOOK_FAILED: _job(Reason.WEBHOOK_FAILED, "The receiver of a webhook does not answer."),
    Reason.DEPENDENCY_DOWN: _job(Reason.DEPENDENCY_DOWN, "Kafka, the bucket or the database does not answer."),
    Reason.KILLER_RECORD: _job(Reason.KILLER_RECORD, "Several processes ended while they worked on this file."),
    Reason.OUTPUT_TOO_LARGE: _job(Reason.OUTPUT_TOO_LARGE, "The broker refused the result for its size."),
    Reason.INTERNAL_ERROR: _job(Reason.INTERNAL_ERROR, "A defect of Kascribe; its log has the trace's id."),
    "key_missing": HttpReason(HTTPStatus.UNAUTHORIZED, "The request needs an API key, and has none."),
    "right_missing": HttpReason(HTTPStatus.FORBIDDEN, "The API key does not have the right that this needs."),
    "tenant_mismatch": HttpReason(
        HTTPStatus.FORBIDDEN, "The API key belongs to another tenant than the request names."
    ),
    "origin_not_allowed": HttpReason(HTTPStatus.FORBIDDEN, "Web pages of this origin may not send requests."),
    "host_not_allowed": HttpReason(HTTPStatus.MISDIRECTED_REQUEST, "The gateway does not answer under this name."),
    "file_missing": HttpReason(HTTPStatus.BAD_REQUEST, "The form has no file, or the body is no form."),
    "several_files": HttpReason(HTTPStatus.BAD_REQUEST, "The form has more than one file."),
    "invalid_form": HttpReason(HTTPStatus.BAD_REQUEST, "The form cannot be read."),
    "client_gone": HttpReason(HTTPStatus.BAD_REQUEST, "The client closed the connection; the job is cancelled."),
    "cursor_invalid": HttpReason(
        HTTPStatus.BAD_REQUEST, "The cursor is not of this list, or the Last-Event-ID not of this stream."
    ),
    "job_not_found": HttpReason(HTTPStatus.NOT_FOUND, "There is no such job, or it is another tenant's."),
    "cursor_gone": HttpReason(
        HTTPStatus.GONE, "Events after the Last-Event-ID are deleted, or too many: connect without it."
    ),
    "history_unavailable": HttpReason(
        HTTPStatus.SERVICE_UNAVAILABLE, "Past events cannot be read now; try again in a moment."
    ),
    "model_not_found": HttpReason(HTTPStatus.NOT_FOUND, "There is no model of that name."),
    "not_found": HttpReason(HTTPStatus.NOT_FOUND, "There is no such route."),
    "method_not_allowed": HttpReason(HTTPStatus.METHOD_NOT_ALLOWED, "The route has no such method."),
    "not_finished": HttpReason(HTTPStatus.CONFLICT, "The job is not transcribed yet; ask again later."),
    "job_cancelled": HttpReason(HTTPStatus.CONFLICT, "The job was cancelled before it was transcribed."),
    "words_missing": HttpReason(
        HTTPStatus.CONFLICT, "The format is made of words, and the job was done without word_timestamps."
    ),
    "range_not_satisfiable": HttpReason(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The range begins behind the end of the recording."
    ),
    "transcript_gone": HttpReason(HTTPStatus.GONE, "The transcript is no longer in the bucket."),
    "unsupported_media_type": HttpReason(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body has a type that this route does not read."
    ),
    "invalid_json": HttpReason(HTTPStatus.BAD_REQUEST, "The body is not a JSON object."),
    "body_too_large": HttpReason(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large."),
    "upload_stalled": HttpReason(HTTPStatus.REQUEST_TIMEOUT, "No bytes of the body came for 30 s."),
    "upload_too_slow": HttpReason(HTTPStatus.REQUEST_TIMEOUT, "The body came more slowly than the limit."),
    "headers_too_large": HttpReason(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are longer than the limit."
    ),
    "invalid_request": HttpReason(HTTPStatus.UNPROCESSABLE_ENTITY, "A parameter or the body is invalid."),
    "idempotency_key_reused": HttpReason(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The Idempotency-Key names a job of other audio, options or tenant."
    ),
    "key_invalid": HttpReason(HTTPStatus.UNAUTHORIZED, "There is no such API key."),
    "key_expired": HttpReason(HTTPStatus.UNAUTHORIZED, "The API key has expired."),
    "key_revoked": HttpReason(HTTPStatus.UNAUTHORIZED, "The API key was revoked."),
    "rate_limited": HttpReason(
        HTTPStatus.TOO_MANY_REQUESTS, "The API key sent as many requests as it may in a minute."
    ),
    "too_many_requests": HttpReason(
        HTTPStatus.TOO_MANY_REQUESTS, "The API key has as many requests in progress as it may."
    ),
    "too_many_streams": HttpReason(
        HTTPStatus.TOO_MANY_REQUESTS, "The API key has as many streams of events open as it may."
    ),
    "bytes_per_day_exceeded": HttpReason(
        HTTPStatus.TOO_MANY_REQUESTS, "The API key sent as many bytes today, in UTC, as it may."
    ),
    "too_many_failures": HttpReason(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong API keys came from the address; keys in use still work."
    ),
    "crowded": HttpReason(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many requests, uploads or connections are here.",
    ),
    "spool_full": HttpReason(
        HTTPStatus.SERVICE_UNAVAILABLE, "The uploads in progress leave no room for this one; try again later."
    ),
    "stopping": HttpReason(HTTPStatus.SERVICE_UNAVAILABLE, "This gateway stops; try again, with the same key."),
    "disk_full": HttpReason(HTTPStatus.SERVICE_UNAVAILABLE, "There is no room for the upload; try again later."),
    "archive_off": HttpReason(HTTPStatus.SERVICE_UNAVAILABLE, "There is no archive here."),
    "enrichment_off": HttpReason(HTTPStatus.SERVICE_UNAVAILABLE, "No language model runs here."),
    "answer_timeout": HttpReason(HTTPStatus.GATEWAY_TIMEOUT, "There is no transcript yet."),
    "enrichment_timeout": HttpReason(
        HTTPStatus.GATEWAY_TIMEOUT, "The transcript is ready, its enrichment is not."
    ),
}
"""By the value of ``error.reason`` (OpenAI's shape: ``error.code``)."""

EVERYWHERE_REASONS: Final[tuple[str, ...]] = (
    "origin_not_allowed",
    "host_not_allowed",
    "headers_too_large",
    "crowded",
    Reason.INTERNAL_ERROR,
)
"""Why any request may fail; added to every operation."""

KEY_REASONS: Final[tuple[str, ...]] = (
    "key_missing",
    "key_invalid",
    "key_expired",
    "key_revoked",
    "right_missing",
    "tenant_mismatch",
    "rate_limited",
    "too_many_requests",
    "too_many_streams",
    "bytes_per_day_exceeded",
    "too_many_failures",
    Reason.DEPENDENCY_DOWN,
)
"""Why a request with or without an API key is refused; added to every operation but health and metrics."""

UPLOAD_REASONS: Final = (
    "file_missing",
    "several_files",
    "invalid_form",
    "upload_stalled",
    "upload_too_slow",
    "crowded",
    "spool_full",
    "disk_full",
    Reason.INVALID_OPTIONS,
    Reason.AUDIO_TOO_LARGE,
    Reason.AUDIO_EMPTY,
    Reason.DEPENDENCY_DOWN,
)
"""Why an upload is refused before there is a job."""

TRANSCRIPTION_REASONS: Final = (
    Reason.AUDIO_NOT_FOUND,
    Reason.AUDIO_FORBIDDEN,
    Reason.AUDIO_TOO_LARGE,
    Reason.AUDIO_TOO_LONG,
    Reason.AUDIO_EMPTY,
    Reason.AUDIO_UNDECODABLE,
    Reason.KEY_REUSED,
    Reason.KILLER_RECORD,
    Reason.ENGINE_FAILED,
    Reason.OUTPUT_TOO_LARGE,
    Reason.INTERNAL_ERROR,
)
"""Why a transcription fails while its client waits."""

WAITING_REASONS: Final = ("crowded", "stopping", "idempotency_key_reused", "client_gone", "answer_timeout")
"""Why a client that waits for a job gets no result of it."""

ENRICHMENT_REASONS: Final = (
    "enrichment_off",
    "enrichment_timeout",
    Reason.ENRICHMENT_FAILED,
    Reason.ENRICHMENT_INVALID,
)
"""Why an enrichment fails while its client waits."""
