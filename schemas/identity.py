"""Identities of jobs, results and records: digests, which need no database and no coordination."""

import hashlib
import json
import uuid
from functools import cache
from typing import Final

from schemas.options import DECODING_DEFAULTS, EnrichOptions, TranscribeOptions

JOB_ID_CHARACTERS: Final = 32

LATER_OPTIONS: Final = frozenset({"audio_track", "languages", "multilingual", *DECODING_DEFAULTS})
"""Options that the first release did not have. Their defaults are not part of the digest, so that earlier results
are found, and roles of two releases agree during an upgrade."""


def _digest(*parts: str) -> str:
    # Length prefixes: different lists of parts never give the same bytes.
    material = "".join(f"{len(part.encode())}:{part}" for part in parts)
    return hashlib.sha256(material.encode()).hexdigest()


def random_id() -> str:
    """Return a random identifier: 32 hexadecimal characters."""
    return uuid.uuid4().hex


def job_id(idempotency_key: str) -> str:
    """Return the job id of a key: 32 hexadecimal characters, safe in object keys and in URLs."""
    return _digest("job", idempotency_key)[:JOB_ID_CHARACTERS]


def options_digest(options: TranscribeOptions) -> str:
    """Compute a digest that is equal for options that give equal words; it ignores exports."""
    unset = {name for name in LATER_OPTIONS if getattr(options, name) == type(options).model_fields[name].default}
    values = options.for_digest().model_dump(mode="json", exclude={"exports", *unset})
    if options.vad_parameters is not None:  # without defaults, for the same reason
        values["vad_parameters"] = options.vad_parameters.model_dump(mode="json", exclude_defaults=True)
    return _digest("options", json.dumps(values, sort_keys=True, ensure_ascii=False))


def notification_key(
    *, bucket: str, key: str, version: str, options: TranscribeOptions, enrich: EnrichOptions | None
) -> str:
    """Return the idempotency key of a dropped object. ``version`` is its version id, else its etag."""
    return _digest("notification", bucket, key, version, *_requested(options, enrich))


def submission_key(place: str, content: str, *, options: TranscribeOptions, enrich: EnrichOptions | None) -> str:
    """Return the idempotency key of a submission: the same source with the same options is one job.

    ``place`` is its name or address, ``content`` identifies its bytes.
    """
    return _digest("submission", place, content, *_requested(options, enrich))


def default_notification_key(*, bucket: str, key: str, version: str) -> str:
    """Return the idempotency key of a dropped object without options, quickly: for many objects."""
    return _digest("notification", bucket, key, version, *_requested_by_default())


@cache
def _requested_by_default() -> tuple[str, ...]:
    return _requested(TranscribeOptions(), None)


def reference_key(event_id: str) -> str:
    """Return the idempotency key of a reference without one: every event is a separate job."""
    return _digest("reference", event_id)


def record_key(coordinates: str) -> str:
    """Return the idempotency key of a record without an identity, by where it was first read."""
    return _digest("record", coordinates)


def request_digest(event_id: str, occurred_at: str) -> str:
    """Compute a digest that is equal for records with the same request, such as redeliveries of an event."""
    return _digest("request", event_id, occurred_at)[:JOB_ID_CHARACTERS]


def _requested(options: TranscribeOptions, enrich: EnrichOptions | None) -> tuple[str, ...]:
    """Return everything that a job requests: the transcript, its exports and its enrichment."""
    exports = ("exports", *sorted(set(options.exports))) if options.exports else ()
    enrichment = ("enrich", enrich_digest(enrich)) if enrich is not None and enrich.has_work else ()
    return (options_digest(options), *exports, *enrichment)


def content_key(*, audio_sha256: str, options: TranscribeOptions, model_sha256: str) -> str:
    """Return the identity of a result: the same bytes, options and model give the same transcript."""
    return _digest("content", audio_sha256, options_digest(options), model_sha256)


def enrich_digest(options: EnrichOptions) -> str:
    """Compute a digest that is equal for equal requests to the enricher; a job has one result per digest."""
    return _digest("enrich", json.dumps(options.model_dump(mode="json"), sort_keys=True, ensure_ascii=False))
