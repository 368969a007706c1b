"""Claims: the statements in an output, each with its place, its field's meaning and the segments that it cites."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

CITATION_FIELDS: Final = frozenset({"segment_ids", "segment_id"})
CHAPTER_SEGMENTS: Final = 40
"""Segments of a chapter that are read from the one that it cites, unless the next one begins before."""

_OWNERS: Final = frozenset(
    {"owner", "assignee", "responsible", "assigned_to", "person", "speaker", "attendees", "participants", "who"}
)
_DUES: Final = frozenset({"due", "due_date", "deadline", "date", "when", "by"})
_NAMED_KINDS: Final = frozenset(
    {"person", "people", "organisation", "organization", "company", "place", "location", "product"}
)


class Field(Enum):
    """What a string is by its field's name."""

    TEXT = "text"
    OWNER = "owner"
    DUE = "due"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Statement:
    """One string of an output."""

    path: str
    text: str
    field: Field = Field.TEXT


@dataclass(frozen=True, slots=True)
class CitedClaim:
    """The statements of an object with a place for citations. A chapter ends before ``next_cited``."""

    path: str
    texts: tuple[str, ...]
    cited: tuple[int, ...]
    is_chapter: bool = False
    next_cited: int | None = None


def statements(output: Any, literals: Collection[str] = ()) -> Iterator[Statement]:
    """Yield every string of an output that is not one of ``literals``: its schema's own words."""
    yield from _statements(output, "$", Field.TEXT, literals)


def cited_claims(output: Any, literals: Collection[str] = ()) -> Iterator[CitedClaim]:
    """Yield every object of an output that has a field for citations and says something."""
    yield from _cited(output, "$", None, literals)


def literals_of(schema: Any) -> frozenset[str]:
    """Return the values that a JSON schema spells out: its author's words, no claims of the model."""
    return frozenset(_literals(schema))


def _literals(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        choices = schema.get("enum")
        for choice in (*(choices if isinstance(choices, list) else ()), schema.get("const")):
            if isinstance(choice, str):
                yield choice
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _literals(part)


def _statements(value: Any, path: str, field: Field, literals: Collection[str]) -> Iterator[Statement]:
    if isinstance(value, str):
        if value.strip() and value not in literals:
            yield Statement(path, value, field)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _statements(item, f"{path}[{at}]", field, literals)
    elif isinstance(value, dict):
        is_named = value.get("kind", value.get("type")) in _NAMED_KINDS
        for key, item in value.items():
            yield from _statements(item, f"{path}.{key}", _field(key, is_named=is_named), literals)


def _field(key: str, *, is_named: bool) -> Field:
    name = key.lower()
    if name in _OWNERS:
        return Field.OWNER
    if name in _DUES:
        return Field.DUE
    return Field.NAME if is_named and name in {"text", "name"} else Field.TEXT


def _cited(value: Any, path: str, following: Any, literals: Collection[str]) -> Iterator[CitedClaim]:
    if isinstance(value, list):
        for at, item in enumerate(value):
            after = value[at + 1] if at + 1 < len(value) else None
            yield from _cited(item, f"{path}[{at}]", after, literals)
    elif isinstance(value, dict):
        if not CITATION_FIELDS.isdisjoint(value):
            texts = tuple(
                text for item in value.values() if isinstance(item, str) and (text := item.strip()) not in literals
            )
            if any(texts):
                is_chapter = "title" in value
                after = min(_ids(following), default=None) if is_chapter else None
                yield CitedClaim(path, texts, _ids(value), is_chapter, after)
        for key, item in value.items():
            if key not in CITATION_FIELDS:
                yield from _cited(item, f"{path}.{key}", None, literals)


def _ids(value: Any) -> tuple[int, ...]:
    if not isinstance(value, dict):
        return ()
    found = (value[name] for name in CITATION_FIELDS if name in value)
    numbers = (number for item in found for number in (item if isinstance(item, list) else [item]))
    return tuple(number for number in numbers if isinstance(number, int) and not isinstance(number, bool))
