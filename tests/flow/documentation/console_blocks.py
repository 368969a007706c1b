"""Commands of a page in Markdown, and what the page says that they print.

A console block has commands, each after ``$ ``, and below a command some lines of its output. ``…`` stands for
anything; JSON may leave fields out. A comment of a status, as in ``# 404``, says that the request is refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any, Final

ANYTHING: Final = "…"
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_STATUS: Final = re.compile(r"\s+# ([1-5]\d\d)$")


@dataclass(frozen=True, slots=True)
class Command:
    """One command under a heading; ``status`` is that of a refused request."""

    heading: str
    text: str
    status: int | None
    expected: tuple[str, ...]


def commands_of(page: Path) -> Iterator[Command]:
    """Yield the commands of a page in order."""
    heading = ""
    for part in re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if part.startswith("## "):
            heading = part.splitlines()[0].removeprefix("## ")
        for block in _BLOCK.findall(part):
            yield from _commands(heading, block.splitlines())


def by_heading(page: Path) -> dict[str, list[Command]]:
    """Return the commands under each heading that has some."""
    return {heading: list(found) for heading, found in groupby(commands_of(page), lambda each: each.heading)}


def is_as_expected(command: Command, printed: str) -> bool:
    """Return whether a command printed what the page says."""
    expected = "\n".join(command.expected)
    try:
        return _is_within(json.loads(expected), json.loads(printed))
    except ValueError:
        return _follow(list(command.expected), [line.strip() for line in printed.splitlines()])


def _commands(heading: str, lines: list[str]) -> Iterator[Command]:
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text, rest = lines[start].removeprefix("$ "), lines[start + 1 : end]
        while text.endswith("\\"):
            text, rest = f"{text}\n{rest[0]}", rest[1:]
        status = _STATUS.search(text)
        expected = tuple(line.strip() for line in rest if line.strip())
        yield Command(heading, _STATUS.sub("", text), int(status[1]) if status else None, expected)


def _is_within(expected: Any, found: Any) -> bool:
    if isinstance(expected, str) and isinstance(found, str):
        return _matches(found, expected)
    if expected == ANYTHING:
        return found is not None
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and _is_within(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(expected) <= len(found)
            and all(map(_is_within, expected, found[: len(expected)]))
        )
    return bool(expected == found)


def _follow(expected: list[str], printed: list[str]) -> bool:
    """Return whether the expected lines were printed, in this order, perhaps with others between them."""
    left = iter(printed)
    return all(any(_matches(line, wanted) for line in left) for wanted in expected)


def _matches(found: str, expected: str) -> bool:
    # fnmatch's other signs are letters here.
    pattern = re.sub(r"([*?\[])", r"[\1]", expected).replace(ANYTHING, "*")
    return fnmatchcase(found, pattern)
