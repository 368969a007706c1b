"""Job requests from multipart forms, checked before anything is stored."""

import re
from collections.abc import Mapping, Set
from http import HTTPStatus
from pathlib import PurePath
from typing import Final, TypeVar

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from producers.gateway.access.caller import ANYONE, Caller
from producers.gateway.access.defaults import with_enrich_defaults, with_transcribe_defaults
from producers.gateway.access.scoped_keys import scoped_key, unscoped_key
from producers.gateway.failures import RequestRefused
from producers.gateway.forms.body import FILE_FIELD, UNNAMED_FILE, file_missing, too_large
from producers.gateway.interactive.job_request import JobRequest
from producers.gateway.monitoring.requests import note_job
from producers.gateway.monitoring.tracing import trace_of
from schemas.errors import Reason
from schemas.options import EnrichOptions, Lane, TranscribeOptions, language_code, language_codes
from schemas.options.misspelling import misspellings
from schemas.options.refused import REFUSED_OPTIONS, why_unknown
from schemas.options.types import AS_TEXT

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
IDEMPOTENCY_KEY_CHARACTERS: Final = 512
TENANT_CHARACTERS: Final = 128
FILE_NAME_CHARACTERS: Final = 200

LIST_FIELDS: Final = frozenset({"profiles", "exports", "languages"})
FORM_FIELDS: Final = frozenset({"file", "tenant", *TranscribeOptions.model_fields})
"""The fields of ``POST /transcribe``."""

ENRICHING_FIELDS: Final = frozenset({"profiles", "instruction", "answer_language"})
"""The further fields of ``POST /transcribe-and-process``."""

_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}")

Options = TypeVar("Options", TranscribeOptions, EnrichOptions)


def check_names(request: Request, form: FormData, *, enriching: bool, further: Set[str] = frozenset()) -> None:
    """Refuse unknown fields, and options in the query: they would be ignored silently. Raises RequestRefused.

    ``further`` are fields that only this route has.
    """
    known = (FORM_FIELDS | ENRICHING_FIELDS if enriching else FORM_FIELDS) | further
    # Forms in browsers send every field, so an empty one counts as absent.
    given = dict.fromkeys(name for name, value in form.multi_items() if value)
    problems = [_unknown(name, known) for name in given if name not in known]
    everywhere = FORM_FIELDS | ENRICHING_FIELDS | further
    query = dict.fromkeys(request.query_params)
    meant = [name for name in query if name in everywhere or name in REFUSED_OPTIONS]
    meant += [name for name, _ in misspellings((name for name in query if name not in everywhere), everywhere)]
    problems += [f"{name} is in the query: send it as a form field" for name in meant]
    if problems:
        raise RequestRefused.because(Reason.INVALID_OPTIONS, "; ".join(problems[:5]))


def _unknown(name: str, known: Set[str]) -> str:
    if name in ENRICHING_FIELDS:
        return f"{name} is a field of POST /transcribe-and-process"
    return f"there is no field {name[:100]!r}: {why_unknown(name, known)}"


def upload_in(form: FormData, *, limit_bytes: int) -> UploadFile:
    """Return the form's file. Refuse a form without one or with several, an empty file and one above the limit."""
    files = form.getlist(FILE_FIELD)
    file = files[0] if files else None
    if not isinstance(file, UploadFile):
        raise file_missing()
    if len(files) > 1:
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST,
            "several_files",
            f'{len(files)} fields are called "file": send each file in a request of its own',
        )
    if not file.size:
        raise RequestRefused.because(Reason.AUDIO_EMPTY, "the file has no bytes")
    if file.size > limit_bytes:
        raise too_large(limit_bytes)
    return file


def job_request_of(
    request: Request, form: FormData, file: UploadFile, *, caller: Caller, new_id: str, enriching: bool
) -> JobRequest:
    """Build the job request; ``new_id`` becomes the key where the client gave none. Raises RequestRefused."""
    key = request.headers.get(IDEMPOTENCY_HEADER, "").strip()
    tenant = caller.tenant_of(_field(form, "tenant"))
    _refuse_longer(IDEMPOTENCY_HEADER, unscoped_key(caller, key), IDEMPOTENCY_KEY_CHARACTERS)
    _refuse_longer("tenant", tenant, TENANT_CHARACTERS)
    content_type = (file.content_type or "").partition(";")[0].strip()
    asked = JobRequest(
        # The name is for people and for the object's key: never a path.
        file_name=PurePath(file.filename or "").name[-FILE_NAME_CHARACTERS:] or UNNAMED_FILE,
        # It becomes a header of a signed request to the store, which accepts no other characters.
        content_type=content_type if _CONTENT_TYPE.fullmatch(content_type) else None,
        idempotency_key=scoped_key(caller, key or f"gateway:{new_id}"),
        is_repeatable=bool(key),
        options=transcribe_options(form, caller=caller),
        enrich=enrich_options(form, caller=caller) if enriching else None,
        tenant=tenant,
        trace=trace_of(request.scope),
        lane=caller.lane_of(Lane.INTERACTIVE),
    )
    note_job(request.scope, asked.job_id, asked.tenant)
    return asked


def transcribe_options(form: FormData, *, caller: Caller = ANYONE) -> TranscribeOptions:
    """Return the options among the form's fields, with those of the caller's key where the form has none.

    Raises RequestRefused for an invalid value.
    """
    given = {name: value for name, value in _texts(form).items() if value}
    if isinstance(language := given.get("language"), str):
        given["language"] = language_code(language)
    if isinstance(languages := given.get("languages"), list):
        given["languages"] = language_codes(languages)
    options = _validated(TranscribeOptions, with_transcribe_defaults(caller, given))
    if options.contradictions:
        raise RequestRefused.because(Reason.INVALID_OPTIONS, "; ".join(options.contradictions))
    return options


def enrich_options(form: FormData, *, caller: Caller = ANYONE) -> EnrichOptions:
    """Return the options for the language model, with those of the caller's key where the form has none.

    Raises RequestRefused when they request no answer.
    """
    texts = _texts(form)
    given = {
        "profiles": texts.get("profiles", ()),
        "instruction": texts.get("instruction"),
        "language": texts.get("answer_language"),
    }
    options = _validated(EnrichOptions, with_enrich_defaults(caller, given))
    if not options.has_work:
        raise RequestRefused.because(
            Reason.INVALID_OPTIONS,
            'say what to do with the text: -F "instruction=..." or -F "profiles=summary,key_points"',
        )
    return options


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _refuse_longer(name: str, value: str, limit_characters: int) -> None:
    if len(value) > limit_characters:
        raise RequestRefused.because(
            Reason.INVALID_OPTIONS, f"{name} is limited to {limit_characters} characters; this has {len(value)}"
        )


def _texts(form: FormData) -> dict[str, object]:
    """Return the text fields; a list may be one field with commas or several fields."""
    texts: dict[str, object] = {}
    lists: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and name in LIST_FIELDS:
            lists.setdefault(name, []).extend(part.strip() for part in value.split(",") if part.strip())
        elif isinstance(value, str):
            texts[name] = value
    return texts | lists


def _validated(kind: type[Options], values: Mapping[str, object]) -> Options:
    try:
        return kind.model_validate(values, context=AS_TEXT)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise RequestRefused.because(
            Reason.INVALID_OPTIONS, problems, param=str(error.errors()[0]["loc"][0])
        ) from error
