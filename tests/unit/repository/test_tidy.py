"""The style's limits, held by every tracked Python file."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.listening import missing

ROOT: Final = Path(__file__).parents[3]
MODULE_LINES_LIMIT: Final = 300
FUNCTION_LINES_LIMIT: Final = 70
FORBIDDEN_WORDS: Final = frozenset(
    {"manager", "helper", "helpers", "util", "utils", "common", "base", "data", "info", "misc"}
)
MACHINE_PATHS: Final = re.compile(r"(?<![\w.])/(?:work|root|home|Users|tmp/bash_jobs)[/.]")
CONTAINER_PATHS: Final = {"deploy": "root/.cache"}
"""Paths, by folder, that are in an image and not on a developer's machine."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked(pattern: str) -> tuple[Path, ...]:
    """List the files that git tracks and that still exist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", pattern], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    """List every function and method."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def every_test() -> Iterator[tuple[Path, Function]]:
    """List every test function."""
    for path in tracked("tests/**/test_*.py"):
        for function in functions(path):
            if function.name.startswith("test_"):
                yield path, function


def here(path: Path, line: int) -> str:
    """Format a place as editors open it."""
    return f"{path.relative_to(ROOT)}:{line}"


def every_text() -> Iterator[tuple[Path, str]]:
    """Return every tracked file that is text, with its content."""
    for path in tracked("*"):
        content = path.read_bytes()
        if b"\0" not in content:
            with suppress(UnicodeDecodeError):
                yield path, content.decode("utf-8")


def expect_none(places: Iterable[str]) -> None:
    """Fail with one place a line."""
    found = list(places)
    assert not found, "\n" + "\n".join(found)


@pytest.fixture(autouse=True)
def _needs_git() -> None:
    if not (ROOT / ".git").exists():
        missing("not a git checkout: the repository's files are unknown")


def test_a_module_is_at_most_300_lines() -> None:
    """A longer module has two subjects."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in tracked("*.py")}
    expect_none(here(path, lines) for path, lines in lengths.items() if lines > MODULE_LINES_LIMIT)


def test_a_function_is_at_most_70_lines() -> None:
    """A function fits a screen."""
    expect_none(
        here(path, function.lineno)
        for path in tracked("*.py")
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES_LIMIT
    )


def test_names_say_what_a_thing_is() -> None:
    """No module or class is named by a word that fits everything, and no function ends with one."""
    found = []
    for path in tracked("*.py"):
        named = [(1, path.stem.lower().split("_"))]
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                words = re.findall(r"[A-Z]?[a-z]+\d*", node.name)
                # A function may well speak of base models; its last word names what it returns.
                named.append((node.lineno, words if isinstance(node, ast.ClassDef) else words[-1:]))
        found += [here(path, line) for line, words in named if {word.lower() for word in words} & FORBIDDEN_WORDS]
    expect_none(found)


def test_every_test_states_what_it_promises() -> None:
    """A docstring in each, and a name of at least three words."""
    expect_none(
        here(path, function.lineno)
        for path, function in every_test()
        if not ast.get_docstring(function) or function.name.count("_") < 3
    )


def test_no_test_sleeps() -> None:
    """Tests wait for conditions, in tests/support/waiting.py, and nowhere for a time."""
    allowed = ROOT / "tests" / "support" / "waiting.py"
    expect_none(
        here(path, node.lineno)
        for path in tracked("tests/**.py")
        if path != allowed
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep", "sleep")
    )


def test_nothing_of_ours_is_mocked() -> None:
    """Doubles are small true implementations: unittest.mock is not imported anywhere."""
    found = []
    for path in tracked("*.py"):
        for node in ast.walk(parsed(path)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(module.startswith(("unittest", "mock")) for module in modules):
                found.append(here(path, node.lineno))  # type: ignore[attr-defined]
    expect_none(found)


def test_no_file_names_the_machine_it_was_written_on() -> None:
    """No absolute path of a developer's machine, in any file that is text."""
    found = []
    for path, text in every_text():
        inside = CONTAINER_PATHS.get(path.relative_to(ROOT).parts[0])
        for number, line in enumerate(text.splitlines(), start=1):
            if MACHINE_PATHS.search(line.replace(f"/{inside}", "")):
                found.append(here(path, number))
    expect_none(found)


@pytest.mark.parametrize("line", ["{}", '"{}"', "[{}]", "path:{}", "({})", "see {}", "`{}`", "={}"])
@pytest.mark.parametrize("place", ["work/a", "root/x", "home/my-name/x", "Users/me/x", "tmp/bash_jobs.0/x"])
def test_a_path_of_a_machine_is_found_wherever_it_stands(line: str, place: str) -> None:
    """In brackets, after a colon, at the start of a line; but not within an address or a relative path."""
    assert MACHINE_PATHS.search(line.format(f"/{place}"))
    assert not MACHINE_PATHS.search(line.format(f"https://host/{place} ./{place} a/{place}"))


def test_nothing_is_left_for_later() -> None:
    """No note in the code promises work for later."""
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    expect_none(
        here(path, number)
        for path in tracked("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if marks.search(line) and path != Path(__file__)
    )
