"""Dropping of doubtful items from lists, for settings that ask for it."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from schemas.transcripts.doubts import Doubt, DoubtRule

_LAST_ITEM: Final = re.compile(r"^(\$.*\[\d+\])")


def without_doubtful_items(output: Any, doubts: Iterable[Doubt], rules: Collection[DoubtRule]) -> Any:
    """Return the output without the list items that doubts of these rules are about.

    The caller validates the result. Doubts outside of lists change nothing.
    """
    dropped = {
        match.group(1) for doubt in doubts if doubt.rule in rules and (match := _LAST_ITEM.match(doubt.path))
    }
    return _without(output, "$", dropped) if dropped else output


def empties_a_list(before: Any, after: Any) -> bool:
    """Return whether a list with items has none left. Lists within lists that lost items are not compared."""
    if isinstance(before, list) and isinstance(after, list):
        return bool(before) and not after
    if isinstance(before, dict) and isinstance(after, dict):
        return any(empties_a_list(before[key], after[key]) for key in before)
    return False


def _without(value: Any, path: str, dropped: Collection[str]) -> Any:
    if isinstance(value, list):
        return [
            _without(item, f"{path}[{at}]", dropped)
            for at, item in enumerate(value)
            if f"{path}[{at}]" not in dropped
        ]
    if isinstance(value, dict):
        return {key: _without(item, f"{path}.{key}", dropped) for key, item in value.items()}
    return value
