"""What a record that cannot be read still tells: each field that is sound, for the events about its failure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

Read = TypeVar("Read", bound=BaseModel)


def sound_fields(value: bytes | None, kind: type[Read], names: Iterable[str], defaults: Mapping[str, Any]) -> Read:
    """``kind`` with ``defaults``, replaced by those of ``names`` that are valid in the JSON object ``value``.

    Never raises, whatever ``value`` holds; ``defaults`` are valid.
    """
    known = dict(defaults)
    for name, found in _object(value).items():
        if name not in names or found is None:
            continue
        sound = _sound_metadata(found) if name == "metadata" else found
        try:
            _validated(kind, {**known, name: sound})
        except (ValidationError, ValueError):
            continue
        known[name] = sound
    return _validated(kind, known)


def _validated(kind: type[Read], fields: Mapping[str, Any]) -> Read:
    # As JSON: what an event may say there is not what its fields take in Python.
    return kind.model_validate_json(to_json(fields))


def _sound_metadata(metadata: Any) -> dict[str, str]:
    """What can be echoed, number 7 as ``7``: the caller finds its record again by what it wrote rightly."""
    fields = metadata.items() if isinstance(metadata, dict) else ()
    scalars = {name: value for name, value in fields if isinstance(value, str | int | float)}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in scalars.items()}


def _object(value: bytes | None) -> dict[str, Any]:
    try:
        found = from_json(value or b"null")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
