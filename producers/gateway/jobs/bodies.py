"""Bodies of requests about jobs: forms and JSON, checked before anything is stored."""

import json
import posixpath
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect
from starlette.types import Message

from producers.gateway.access.caller import Caller
from producers.gateway.access.defaults import with_enrich_defaults, with_transcribe_defaults
from producers.gateway.access.scoped_keys import scoped_key, unscoped_key
from producers.gateway.failures import RequestRefused
from producers.gateway.forms.body import FIELDS, FORM_BYTES, BoundedBody, opened_form
from producers.gateway.forms.requests import (
    ENRICHING_FIELDS,
    IDEMPOTENCY_HEADER,
    IDEMPOTENCY_KEY_CHARACTERS,
    check_names,
    enrich_options,
    job_request_of,
)
from producers.gateway.jobs.submission import JobSubmission, NamedObject, UploadedFile
from producers.gateway.monitoring.tracing import trace_of
from schemas.clock import Clock
from schemas.errors import JobError, Reason, SourceNotAllowed
from schemas.events import AudioReference
from schemas.kafka.records import Record
from schemas.kafka.wire import decode
from schemas.notifications import is_own_object
from schemas.object_addresses import ObjectAddress, allowed_address
from schemas.options import EnrichOptions, Lane
from schemas.options.misspelling import did_you_mean
from schemas.settings import S3Settings

LANE: Final = "lane"
METADATA: Final = "metadata"
WEBHOOK_URL: Final = "webhook_url"
JOB_FIELDS: Final = frozenset({LANE, METADATA, WEBHOOK_URL})
"""The fields that ``POST /v1/jobs`` has beside those of ``POST /transcribe-and-process``."""

JSON_FIELDS: Final = (
    "uri", "version_id", "etag", "options", "enrich", "lane", "tenant", "metadata", WEBHOOK_URL
)  # fmt: skip
"""The fields of the JSON body: those of a reference that its producer chooses."""

METADATA_BYTES: Final = 16 * 1024
"""Limit of all names and values together: every event of the job repeats them."""

FORM_TYPE: Final = "multipart/form-data"
URLENCODED_TYPE: Final = "application/x-www-form-urlencoded"
JSON_TYPE: Final = "application/json"
PAIR_FORM: Final = "write case=17,agent=kim, or an object in JSON"


def content_type_of(request: Request, *accepted: str) -> str:
    """Return the type of the request's body. Raises RequestRefused for one that is not ``accepted``."""
    given, _ = parse_options_header(request.headers.get("content-type"))
    media_type = given.decode("ascii", "replace").lower()
    if media_type not in accepted:
        raise RequestRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            f"the body's Content-Type is {media_type[:100] or 'missing'}: send {' or '.join(accepted)}",
        )
    return media_type


def submission_of_form(
    request: Request, form: FormData, file: UploadFile, *, caller: Caller, new_id: str
) -> JobSubmission:
    """Build the request from a form. Raises RequestRefused."""
    check_names(request, form, enriching=True, further=JOB_FIELDS)
    enriching = any(form.get(name) for name in ENRICHING_FIELDS)
    asked = job_request_of(request, form, file, caller=caller, new_id=new_id, enriching=enriching)
    return JobSubmission(
        audio=UploadedFile(asked.file_name, asked.content_type),
        idempotency_key=asked.idempotency_key,
        is_repeatable=asked.is_repeatable,
        options=asked.options,
        enrich=asked.enrich,
        lane=caller.lane_of(_lane(form.get(LANE))),
        tenant=asked.tenant,
        metadata={"name": asked.file_name, **metadata_of(form.get(METADATA))},
        trace=asked.trace,
        webhook_url=_text(WEBHOOK_URL, form.get(WEBHOOK_URL)) or None,
    )


async def submission_of_json(
    request: Request, *, caller: Caller, new_id: str, clock: Clock, s3: S3Settings
) -> JobSubmission:
    """Build the request from a JSON body that names an object. Raises RequestRefused, SourceNotAllowed."""
    given = _with_defaults(await _json_object(request, JSON_FIELDS), caller)
    key = request.headers.get(IDEMPOTENCY_HEADER, "").strip()
    if len(unscoped_key(caller, key)) > IDEMPOTENCY_KEY_CHARACTERS:
        raise _invalid(f"{IDEMPOTENCY_HEADER} is limited to {IDEMPOTENCY_KEY_CHARACTERS} characters")
    reference = _reference(
        {
            **given,
            "event_id": new_id,
            "occurred_at": clock.now().isoformat(),
        }
    )
    _refuse_own(allowed_address(reference.uri, s3), s3)
    if problems := reference.options.contradictions:
        raise _invalid("; ".join(problems))
    if reference.enrich is not None and not reference.enrich.has_work:
        raise _invalid("enrich requests nothing: name profiles or an instruction, or leave it out")
    return JobSubmission(
        audio=NamedObject(reference.uri, reference.version_id, reference.etag),
        idempotency_key=scoped_key(caller, key or f"gateway:{new_id}"),
        is_repeatable=bool(key),
        options=reference.options,
        enrich=reference.enrich,
        lane=caller.lane_of(reference.lane),
        tenant=caller.tenant_of(str(given.get("tenant") or "")),
        metadata=_limited(reference.metadata),
        trace=trace_of(request.scope),
        webhook_url=reference.webhook_url,
    )


async def enrich_options_of(request: Request, *, caller: Caller) -> EnrichOptions:
    """Return the options of a request to enrich, a form or JSON. Raises RequestRefused."""
    media_type = content_type_of(request, JSON_TYPE, FORM_TYPE, URLENCODED_TYPE)
    if media_type == FORM_TYPE:
        async with opened_form(request, limit_bytes=0) as form:
            return _enrich_options(form, caller)
    if media_type == URLENCODED_TYPE:
        return _enrich_options(_urlencoded(await _small_body(request)), caller)
    given = await _json_object(request, tuple(sorted(ENRICHING_FIELDS)))
    profiles = given.get("profiles") or []
    texts = [given.get("instruction"), given.get("answer_language")]
    is_list = isinstance(profiles, list) and all(isinstance(name, str) for name in profiles)
    if not is_list or not all(isinstance(text, str | None) for text in texts):
        raise _invalid("profiles is a list of names; instruction and answer_language are texts")
    pairs: list[tuple[str, str | UploadFile]] = [("profiles", name) for name in profiles]
    pairs += [(name, str(given[name])) for name in ("instruction", "answer_language") if given.get(name)]
    return _enrich_options(FormData(pairs), caller)


def metadata_of(given: object) -> dict[str, str]:
    """Return the caller's metadata in a form's field: an object in JSON, or pairs. Raises RequestRefused."""
    text = _text(METADATA, given)
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise _invalid(f"metadata is not a JSON object; {PAIR_FORM}") from None
        if not all(isinstance(value, str) for value in found.values()):
            raise _invalid("metadata: every value has to be a text, in quotation marks")
        return _limited(found)
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise _invalid(f"metadata: {name.strip()[:64]!r} is no pair; {PAIR_FORM}")
    return _limited({name.strip(): value.strip() for name, _, value in pairs})


def _limited(metadata: Mapping[str, str]) -> dict[str, str]:
    try:
        size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    except UnicodeEncodeError:
        raise _invalid("metadata: a name or value is not Unicode text: it has half of a surrogate pair") from None
    if size_bytes > METADATA_BYTES:
        raise _invalid(f"metadata is limited to {METADATA_BYTES:,} bytes; this has {size_bytes:,}")
    return dict(metadata)


def _lane(given: object) -> Lane:
    text = _text(LANE, given)
    if text and text not in set(Lane):
        raise _invalid(f"lane: {text[:64]!r} is neither {Lane.INTERACTIVE} nor {Lane.BULK}")
    return Lane(text or Lane.BULK)


def _text(name: str, given: object) -> str:
    if given is not None and not isinstance(given, str):
        raise _invalid(f"{name} came as a file: send it as a text field")
    return (given or "").strip()


def _enrich_options(form: FormData, caller: Caller) -> EnrichOptions:
    unknown = [name for name, value in form.multi_items() if value and name not in ENRICHING_FIELDS]
    if unknown:
        raise _invalid(f"there is no field {unknown[0][:64]!r}: {did_you_mean(unknown[0], ENRICHING_FIELDS)}")
    return enrich_options(form, caller=caller)


def _urlencoded(body: bytes) -> FormData:
    try:
        return FormData([*parse_qsl(body.decode(), max_num_fields=FIELDS, errors="strict")])
    except ValueError as error:
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST, "invalid_form", f"the form cannot be read: {error}"
        ) from error


def _with_defaults(given: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Return the fields without nulls, and with the options of the caller's key where the request has none."""
    fields = {name: value for name, value in given.items() if value is not None}
    if isinstance(options := fields.get("options", {}), dict):
        fields["options"] = with_transcribe_defaults(caller, options)
    if isinstance(enrich := fields.get("enrich"), dict) and enrich.keys() <= EnrichOptions.model_fields.keys():
        fields["enrich"] = with_enrich_defaults(caller, enrich)
    return fields


def _reference(fields: Mapping[str, Any]) -> AudioReference:
    try:
        return decode(Record("request", 0, 0, None, json.dumps(fields).encode()), AudioReference)
    except JobError as error:
        raise _invalid(error.message.replace("not a valid AudioReference: ", "")) from error
    except RecursionError as error:
        raise _invalid("the body is nested too deeply") from error


def _refuse_own(address: ObjectAddress, s3: S3Settings) -> None:
    # Some stores drop slashes and dots from keys, so the key that they see is compared too.
    normal = posixpath.normpath(f"/{address.key}").lstrip("/")
    if any(is_own_object(address.bucket, key, s3) for key in (address.key, normal)):
        raise SourceNotAllowed(
            f"{address.uri[:200]} is in a folder of Kascribe's own results or uploads; name another object"
        )


async def _json_object(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    body = await _small_body(request)
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "invalid_json", "the body is not a JSON object")
    unknown = [name for name in given if name not in known]
    if unknown:
        raise _invalid(f"there is no field {unknown[0][:64]!r}: {did_you_mean(unknown[0], known)}")
    return given


async def _small_body(request: Request) -> bytes:
    bounded, chunks = BoundedBody(request.receive, 0), bytearray()
    try:
        while not bounded.is_complete:
            chunks += _piece(await bounded())
    except RequestRefused as refused:
        await bounded.discard()
        if refused.status is not HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"the body is limited to {FORM_BYTES:,} bytes"
        ) from refused
    return bytes(chunks)


def _piece(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    piece: bytes = message.get("body", b"")
    return piece


def _invalid(message: str) -> RequestRefused:
    return RequestRefused.because(Reason.INVALID_OPTIONS, message)
