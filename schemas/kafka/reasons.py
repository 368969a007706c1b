"""The reasons of dead letters as sentences for people, shown by the board and in the documents."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.errors import Reason


class ReasonText(NamedTuple):
    """The meaning of a reason: what happened, and what to do about it."""

    happened: str
    remedy: str


REASON_TEXTS: Final[Mapping[Reason, ReasonText]] = {
    Reason.INVALID_EVENT: ReasonText(
        "The value is not JSON, has another shape, or a version that this release does not know.",
        "Correct the publisher. The original bytes are kept.",
    ),
    Reason.INVALID_OPTIONS: ReasonText(
        "A name that is no option, an unknown language code, or a task that the model cannot do.",
        "Correct the options: the message names the nearest one. Or serve a model that can.",
    ),
    Reason.KEY_REUSED: ReasonText(
        "The idempotency key names a finished job of other audio, other options or another tenant.",
        "Use a new key for each request. The finished job is untouched.",
    ),
    Reason.SOURCE_NOT_ALLOWED: ReasonText(
        "The URI is outside the allowed buckets or is not `s3://`. Nothing was fetched.",
        "Add the bucket to `KASCRIBE_S3_ALLOWED_BUCKETS`, or correct the publisher.",
    ),
    Reason.AUDIO_NOT_FOUND: ReasonText(
        "The object was not there, several times.",
        "See whether it was deleted or the key was encoded twice; put it back and redrive.",
    ),
    Reason.AUDIO_FORBIDDEN: ReasonText(
        "The credentials may not read the object.",
        "Correct the bucket's policy and redrive.",
    ),
    Reason.AUDIO_TOO_LARGE: ReasonText(
        "The object, or what it decodes to, exceeds a limit in bytes.",
        "Raise `KASCRIBE_S3_OBJECT_LIMIT_BYTES` or split the file.",
    ),
    Reason.AUDIO_TOO_LONG: ReasonText(
        "The audio exceeds the limit in seconds.",
        "Raise `KASCRIBE_WHISPER_AUDIO_LIMIT_SECONDS` or split the file.",
    ),
    Reason.AUDIO_EMPTY: ReasonText("No bytes, or no samples.", "Upload the file again."),
    Reason.AUDIO_UNDECODABLE: ReasonText(
        "Not audio, truncated beyond use, without an audio stream, or it made the decoder crash or hang.",
        "Play the file elsewhere; upload it again.",
    ),
    Reason.ENGINE_FAILED: ReasonText(
        "Inference failed for this record, several times.",
        "Read the error's message and the log of the transcriber; redrive.",
    ),
    Reason.ENRICHMENT_INVALID: ReasonText(
        "The language model's answers did not pass validation.",
        "The transcript is untouched. Try another model or profile and redrive.",
    ),
    Reason.ENRICHMENT_FAILED: ReasonText(
        "The language model server failed this request, several times.",
        "Read the server's log; redrive.",
    ),
    Reason.WEBHOOK_NOT_ALLOWED: ReasonText(
        "The webhook's address is none that events may be sent to, or no secret signs them. Nothing was sent.",
        "Correct the URL, or list its host or network in the settings (docs/webhooks.md), and redrive.",
    ),
    Reason.WEBHOOK_REFUSED: ReasonText(
        "The receiver of a webhook answered that it does not take the event (a 4xx status).",
        "Read the status in the error's message; correct the receiver or the URL, and redrive.",
    ),
    Reason.WEBHOOK_FAILED: ReasonText(
        "The receiver of a webhook did not take the event at any attempt.",
        "Bring the receiver back (`kascribe webhooks test --url URL` says what is wrong) and redrive.",
    ),
    Reason.DEPENDENCY_DOWN: ReasonText(
        "A service that intake pauses for answered its probes, and failed this record again and again.",
        "Read the error's message: a bucket that may not be written says so. Mend the service and redrive.",
    ),
    Reason.KILLER_RECORD: ReasonText(
        "Several processes ended while this record ran, two of them at least while nothing else did.",
        "Keep the file, report it; do not redrive before the cause is known.",
    ),
    Reason.OUTPUT_TOO_LARGE: ReasonText(
        "The broker refused an output for its size.",
        "Raise the topic's `max.message.bytes`, or shorten metadata; redrive the record that it was made of.",
    ),
    Reason.INTERNAL_ERROR: ReasonText(
        "A defect of Kascribe.",
        "Report it with the stack trace in the headers; redrive after an upgrade.",
    ),
}


def remedy_of(reason: str) -> str | None:
    """Return what to do about a reason; None for a word that this release does not know."""
    return REASON_TEXTS[Reason(reason)].remedy if reason in set(Reason) else None
