"""References for dropped objects, with options from their user metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas import identity
from schemas.errors import InvalidOptions
from schemas.events import AudioReference
from schemas.misspelling import misspellings
from schemas.notifications.events import ObjectCreated
from schemas.notifications.metadata import PREFIX
from schemas.options import EnrichOptions, Lane, TranscribeOptions

OPTION_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "language": ("options", "language"),
    "task": ("options", "task"),
    "word-timestamps": ("options", "word_timestamps"),
    "channels": ("options", "channels"),
    "initial-prompt": ("options", "initial_prompt"),
    "hotwords": ("options", "hotwords"),
    "beam-size": ("options", "beam_size"),
    "audio-track": ("options", "audio_track"),
    "vad": ("options", "vad"),
    "model": ("options", "model"),
    "exports": ("options", "exports"),
    "enrich": ("enrich", "profiles"),
    "instruction": ("enrich", "instruction"),
    "enrich-language": ("enrich", "language"),
    "lane": ("job", "lane"),
    "tenant": ("job", "tenant"),
    "idempotency-key": ("job", "idempotency_key"),
}
"""Metadata names, after ``x-amz-meta-``, that are options. All others are echoed in the job's events, unless they
misspell an option."""

ModelT = TypeVar("ModelT", bound=BaseModel)

_LISTS: Final = frozenset({"exports", "enrich"})
_FREE_TEXT: Final = frozenset(
    {"initial-prompt", "hotwords", "instruction", "idempotency-key", "tenant", "model", "enrich-language"}
)


class _JobFields(BaseModel):
    model_config = ConfigDict(frozen=True)

    lane: Lane = Lane.BULK
    tenant: str = Field(default="default", min_length=1, max_length=128)
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=512)


PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "options": TranscribeOptions,
    "enrich": EnrichOptions,
    "job": _JobFields,
}


@dataclass(frozen=True, slots=True)
class RequestedOptions:
    """The options in the metadata of one object."""

    options: TranscribeOptions
    enrich: EnrichOptions | None
    lane: Lane
    tenant: str
    idempotency_key: str | None
    metadata: Mapping[str, str]


def requested_options(user_metadata: Mapping[str, str]) -> RequestedOptions:
    """Read the options in plain user metadata (see ``plain_metadata``). Raises InvalidOptions naming the headers.

    Other systems write their own metadata, so an unknown name is refused only if it misspells an option that is
    not given, and its value is valid for that option.
    """
    _refuse_misspelt(user_metadata)
    return _requested(user_metadata)


def valid_options(user_metadata: Mapping[str, str]) -> RequestedOptions:
    """Read the valid options and ignore the others: for events about an object with refused options."""
    return _requested(
        {
            name: value
            for name, value in user_metadata.items()
            if name not in OPTION_NAMES or _is_valid(name, value)
        }
    )


def _requested(user_metadata: Mapping[str, str]) -> RequestedOptions:
    fields: dict[str, dict[str, Any]] = {"options": {}, "enrich": {}, "job": {}}
    echoed: dict[str, str] = {}
    for name, value in user_metadata.items():
        if name in OPTION_NAMES:
            part, field = OPTION_NAMES[name]
            fields[part][field] = _option_value(name, value)
        else:
            echoed[name] = value
    enrich = _validate(EnrichOptions, "enrich", fields["enrich"])
    job = _validate(_JobFields, "job", fields["job"])
    return RequestedOptions(
        options=_validate(TranscribeOptions, "options", fields["options"]),
        enrich=enrich if enrich.has_work else None,
        lane=job.lane,
        tenant=job.tenant,
        idempotency_key=job.idempotency_key,
        metadata=echoed,
    )


def to_reference(created: ObjectCreated, requested: RequestedOptions, *, now: datetime) -> AudioReference:
    """Make the reference for a dropped object; equal notifications give an equal idempotency key.

    Objects that share a caller's idempotency key have different event ids, so each gets its own events.
    """
    derived = identity.notification_key(
        bucket=created.bucket,
        key=created.key,
        version=created.version,
        options=requested.options,
        enrich=requested.enrich,
    )
    return AudioReference(
        event_id=identity.job_id(derived),
        occurred_at=created.event_time or now,
        uri=created.uri,
        version_id=created.version_id,
        etag=created.etag,
        idempotency_key=requested.idempotency_key or derived,
        options=requested.options,
        enrich=requested.enrich,
        lane=requested.lane,
        tenant=requested.tenant,
        metadata=dict(requested.metadata),
    )


def _refuse_misspelt(user_metadata: Mapping[str, str]) -> None:
    missing = sorted(OPTION_NAMES.keys() - user_metadata.keys())
    unknown = (name for name in user_metadata if name not in OPTION_NAMES)
    wrong = [
        f"{PREFIX}{name} is not an option: did you mean {PREFIX}{option}?"
        for name, option in misspellings(unknown, missing)
        if _is_valid(option, user_metadata[name])
    ]
    if wrong:
        raise InvalidOptions(f"{'; '.join(wrong)} Metadata of your own goes under a name that is unlike them")


def _is_valid(option: str, value: str) -> bool:
    part, field = OPTION_NAMES[option]
    try:
        _validate(PARTS[part], part, {field: _option_value(option, value)})
    except InvalidOptions:
        return False
    return True


def _option_value(name: str, value: str) -> Any:
    if name in _LISTS:
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())
    return value if name in _FREE_TEXT else value.strip().lower()


def _validate(kind: type[ModelT], part: str, fields: Mapping[str, Any]) -> ModelT:
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        headers = {field: PREFIX + name for name, (owner, field) in OPTION_NAMES.items() if owner == part}
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        sentences = "; ".join(f"{headers.get(str(p['loc'][0]), part)}: {p['msg']}" for p in problems)
        raise InvalidOptions(f"the object's metadata has invalid options: {sentences}") from error
