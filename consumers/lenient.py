"""Lenient decoding of failed records: keeps every valid field, for the events about the failure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

Read = TypeVar("Read", bound=BaseModel)


def decode_leniently(
    value: bytes | None, kind: type[Read], names: Iterable[str], defaults: Mapping[str, Any]
) -> Read:
    """Return ``kind`` with ``defaults``, replaced by those of ``names`` that are valid in the JSON ``value``.

    Never raises, whatever ``value`` holds; ``defaults`` must be valid.
    """
    valid = dict(defaults)
    for name, field in _decode_object(value).items():
        if name not in names or field is None:
            continue
        candidate = _scalars_as_text(field) if name == "metadata" else field
        try:
            _validate(kind, {**valid, name: candidate})
        except (ValidationError, ValueError):
            continue
        valid[name] = candidate
    return _validate(kind, valid)


def _validate(kind: type[Read], fields: Mapping[str, Any]) -> Read:
    # As JSON: an event may contain less there than its fields accept in Python.
    return kind.model_validate_json(to_json(fields))


def _scalars_as_text(metadata: Any) -> dict[str, str]:
    """Return the metadata that can be echoed, number 7 as ``7``, so that the caller can match the failure."""
    fields = metadata.items() if isinstance(metadata, dict) else ()
    scalars = {name: value for name, value in fields if isinstance(value, str | int | float)}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in scalars.items()}


def _decode_object(value: bytes | None) -> dict[str, Any]:
    try:
        decoded = from_json(value or b"null")
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
