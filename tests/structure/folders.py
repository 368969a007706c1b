"""How many siblings stand in each folder."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from tests.structure.sources import Finding, Module

SIBLINGS_LIMIT: Final = 16

STATED_REASONS: Final[Mapping[str, str]] = {}
"""Folders that may hold more than ``SIBLINGS_LIMIT``, by path, each with the reason in a sentence."""

_UNCOUNTED: Final = frozenset({"__init__.py", "__main__.py"})


def siblings(modules: Iterable[Module]) -> dict[str, int]:
    """Count by folder its modules and those of its sub-folders that hold Python at any depth.

    ``__init__.py`` and ``__main__.py`` do not count; neither does the root of the repository.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        path = PurePosixPath(module.path)
        for child in (path, *path.parents):
            folder = child.parent
            if str(folder) != "." and child.name not in _UNCOUNTED:
                found[str(folder)].add(child.name)
    return {folder: len(names) for folder, names in found.items()}


def too_full(counts: Mapping[str, int], reasons: Mapping[str, str]) -> list[Finding]:
    """List the folders over the limit for which no reason is stated, fullest first."""
    return [
        Finding(f"{folder}/", None, f"{count} siblings")
        for folder, count in sorted(counts.items(), key=lambda entry: -entry[1])
        if count > SIBLINGS_LIMIT and folder not in reasons
    ]


def stale_reasons(counts: Mapping[str, int], reasons: Mapping[str, str]) -> list[str]:
    """List the folders with a stated reason that do not need it, or are no longer there."""
    return [folder for folder in reasons if counts.get(folder, 0) <= SIBLINGS_LIMIT]
