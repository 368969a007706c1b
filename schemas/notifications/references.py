"""References for dropped objects, with options from their user metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas import identity
from schemas.errors import InvalidOptions
from schemas.events import AudioReference
from schemas.notifications.events import ObjectCreated
from schemas.notifications.metadata import PREFIX
from schemas.object_addresses import SCHEME
from schemas.options import DECODING_DEFAULTS, EnrichOptions, Lane, TranscribeOptions
from schemas.options.misspelling import misspellings
from schemas.options.refused import REFUSED_OPTIONS
from schemas.options.types import AS_TEXT
from schemas.webhooks.addresses import WebhookUrl

OPTION_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "language": ("options", "language"),
    "languages": ("options", "languages"),
    "multilingual": ("options", "multilingual"),
    "task": ("options", "task"),
    "word-timestamps": ("options", "word_timestamps"),
    "channels": ("options", "channels"),
    "initial-prompt": ("options", "initial_prompt"),
    "hotwords": ("options", "hotwords"),
    "beam-size": ("options", "beam_size"),
    "audio-track": ("options", "audio_track"),
    "vad": ("options", "vad"),
    **{name.replace("_", "-"): ("options", name) for name in DECODING_DEFAULTS},
    "model": ("options", "model"),
    "exports": ("options", "exports"),
    "enrich": ("enrich", "profiles"),
    "instruction": ("enrich", "instruction"),
    "enrich-language": ("enrich", "language"),
    "lane": ("job", "lane"),
    "tenant": ("job", "tenant"),
    "idempotency-key": ("job", "idempotency_key"),
    "webhook-url": ("job", "webhook_url"),
}
"""Metadata names, after ``x-amz-meta-``, that are options. All others are echoed in the job's events, unless they
misspell an option."""

_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

ModelT = TypeVar("ModelT", bound=BaseModel)

_LISTS: Final = frozenset({"exports", "enrich", "languages"})
_FREE_TEXT: Final = frozenset(
    (
        "enrich-language",
        "hotwords",
        "idempotency-key",
        "initial-prompt",
        "instruction",
        "model",
        "prefix",
        "tenant",
        "webhook-url",
    )
)


class _JobFields(BaseModel):
    model_config = ConfigDict(frozen=True)

    lane: Lane = Lane.BULK
    tenant: str = Field(default="default", min_length=1, max_length=128)
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=512)
    webhook_url: WebhookUrl | None = None


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
    webhook_url: str | None = None


def requested_options(user_metadata: Mapping[str, str]) -> RequestedOptions:
    """Read the options in plain user metadata (see ``plain_metadata``). Raises InvalidOptions naming the headers.

    Other systems write their own metadata, so an unknown name is refused only if it misspells an option that is
    not given, and its value is valid for that option.
    """
    _refuse_misspelt(user_metadata)
    return _requested(user_metadata)


def valid_options(user_metadata: Mapping[str, str]) -> RequestedOptions:
    """Read the valid options and ignore the others: for events about an object with refused options.

    Of options that contradict each other, the one that comes first in ``OPTION_NAMES`` is kept.
    """
    valid = {name: value for name, value in user_metadata.items() if name not in OPTION_NAMES}
    for name in OPTION_NAMES:
        if name in user_metadata and _are_valid({**valid, name: user_metadata[name]}):
            valid[name] = user_metadata[name]
    return _requested(valid)


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
        webhook_url=job.webhook_url,
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
        webhook_url=requested.webhook_url,
    )


def requested_at(reference: AudioReference) -> datetime:
    """Return the time that tells the requests for one job apart.

    A version of a dropped object is one request, whenever it is announced, and by whatever program.
    """
    address, version = reference.uri.removeprefix(SCHEME), reference.version_id
    if version is None:
        return reference.occurred_at
    bucket, _, key = address.partition("/")
    derived = identity.notification_key(
        bucket=bucket, key=key, version=version, options=reference.options, enrich=reference.enrich
    )
    return _ANY_TIME if reference.event_id == identity.job_id(derived) else reference.occurred_at


def _refuse_misspelt(user_metadata: Mapping[str, str]) -> None:
    missing = sorted(OPTION_NAMES.keys() - user_metadata.keys())
    unknown = (name for name in user_metadata if name not in OPTION_NAMES)
    wrong = [
        f"{PREFIX}{name} is not an option: did you mean {PREFIX}{option}?"
        for name, option in misspellings(unknown, missing)
        if _are_valid({option: user_metadata[name]})
    ]
    refused = [
        f"{PREFIX}{name} is not an option: {REFUSED_OPTIONS[name.replace('-', '_')]}"
        for name in user_metadata
        if name.replace("-", "_") in REFUSED_OPTIONS
    ]
    if refused:
        raise InvalidOptions("; ".join(refused))
    if wrong:
        raise InvalidOptions(f"{'; '.join(wrong)} Metadata of your own goes under a name that is unlike them")


def _are_valid(user_metadata: Mapping[str, str]) -> bool:
    try:
        _requested(user_metadata)
    except InvalidOptions:
        return False
    return True


def _option_value(name: str, value: str) -> Any:
    if name in _LISTS:
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())
    return value if name in _FREE_TEXT else value.strip().lower()


def _validate(kind: type[ModelT], part: str, fields: Mapping[str, Any]) -> ModelT:
    try:
        return kind.model_validate(dict(fields), context=AS_TEXT)
    except ValidationError as error:
        headers = {field: PREFIX + name for name, (owner, field) in OPTION_NAMES.items() if owner == part}
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        sentences = "; ".join(
            ".".join((headers.get(str(p["loc"][0]), part), *map(str, p["loc"][1:]))) + f": {p['msg']}"
            for p in problems
        )
        raise InvalidOptions(f"the object's metadata has invalid options: {sentences}") from error
