"""Citations in answers: the fields that cite segments, and what they may cite."""

from collections.abc import Collection, Iterator
from typing import Any, Final

CITATION_FIELDS: Final = frozenset({"segment_ids", "segment_id"})


def can_cite(schema: Any) -> bool:
    """Return whether a schema has a field for citations, at any depth."""
    if isinstance(schema, list):
        return any(map(can_cite, schema))
    if not isinstance(schema, dict):
        return False
    named = schema.get("properties")
    return bool(isinstance(named, dict) and CITATION_FIELDS & named.keys()) or any(map(can_cite, schema.values()))


def with_existing_citations(value: Any, segment_ids: Collection[int]) -> Any:
    """Drop citations of other segments than ``segment_ids`` from lists; a single one becomes None."""
    if isinstance(value, list):
        return [with_existing_citations(item, segment_ids) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _known_citations(key, item, segment_ids) for key, item in value.items()}


def citations(value: Any) -> Iterator[int]:
    """Yield the segment ids that a value cites, at any depth, once per citation."""
    if isinstance(value, list):
        for item in value:
            yield from citations(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in CITATION_FIELDS:
                yield from (number for number in (item if isinstance(item, list) else [item]) if _is_id(number))
            else:
                yield from citations(item)


def _known_citations(key: str, item: Any, segment_ids: Collection[int]) -> Any:
    if key not in CITATION_FIELDS:
        return with_existing_citations(item, segment_ids)
    if isinstance(item, list):
        return list(dict.fromkeys(number for number in item if _is_id(number) and number in segment_ids))
    return item if _is_id(item) and item in segment_ids else None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
