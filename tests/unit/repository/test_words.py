"""The glossary and the architecture page name what exists."""

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
NOUNS_LIMIT: Final = 20
HEADING: Final = "### The nouns of the runtime"
RUNTIME: Final = Path("consumers/runtime")

_CODE: Final = re.compile(r"`([^`\s]+)`")


def glossary() -> list[tuple[str, set[str]]]:
    """Read the nouns of the runtime, each with its classes."""
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split(HEADING)[1]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [(noun, set(_CODE.findall(classes))) for noun, _, classes in rows[1:]]


def public_classes() -> set[str]:
    """Collect every public class of the runtime's modules."""
    return {
        node.name
        for path in (ROOT / RUNTIME).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def test_every_class_of_the_runtime_belongs_to_one_noun() -> None:
    """A class that fits none of them is a new noun: a reader has to learn it, so there are not many."""
    nouns = glossary()
    assert 0 < len(nouns) <= NOUNS_LIMIT
    named = [each for _, classes in nouns for each in sorted(classes)]
    assert len(named) == len(set(named))
    assert set(named) == public_classes()


def test_the_page_about_the_architecture_names_files_that_are_there() -> None:
    """Paths are relative to the repository, or to the runtime's folder."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name for name in _CODE.findall(page) if name.endswith(".py")}
    assert len(named) > 40
    missing = sorted(name for name in named if not ((ROOT / name).is_file() or (ROOT / RUNTIME / name).is_file()))
    assert missing == []
