"""How often docstrings leave the actor unnamed: "who", "nobody" and their like, per 1,000 words.

Docstrings are those of modules, classes and functions, and strings that stand alone after an assignment.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from tests.structure.sources import Finding, Function, Module, is_text

UNNAMED_LIMIT: Final = 0.5
"""Unnamed actors per 1,000 words of docstrings."""

UNNAMED: Final = frozenset(
    {"who", "whom", "whose", "whoever", "whomever"} | {"nobody", "somebody", "anybody", "someone", "anyone"}
)
_WORD: Final = re.compile(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W_]+)*")
_DOCUMENTED: Final = ast.Module | ast.ClassDef | Function
_BLOCKS: Final = ("body", "orelse", "finalbody")


def words(modules: Iterable[Module]) -> tuple[int, list[Finding]]:
    """Count the words of all docstrings, and list the unnamed actors among them, one finding for each."""
    total, unnamed = 0, []
    for module in modules:
        for docstring in _docstrings(module.nodes):
            text = docstring.value
            assert isinstance(text, str)
            for match in _WORD.finditer(text):
                total += 1
                # "who's" and "nobody's" too.
                if re.split(r"\W", match[0].lower())[0] in UNNAMED:
                    line = docstring.lineno + text.count("\n", 0, match.start())
                    unnamed.append(Finding(module.path, line, _around(text, match)))
    return total, unnamed


def per_1000(total: int, unnamed: int) -> float:
    """Return the unnamed actors per 1,000 words; 0 of no words."""
    return 1000 * unnamed / total if total else 0.0


def _docstrings(nodes: Iterable[ast.AST]) -> Iterator[ast.Constant]:
    for node in nodes:
        if isinstance(node, _DOCUMENTED) and node.body and is_text(node.body[0]):
            yield _constant(node.body[0])
        # A lambda's body, and a conditional expression's, is an expression.
        blocks = [block for field in _BLOCKS if isinstance(block := getattr(node, field, None), list)]
        for block in blocks:
            for before, statement in pairwise(block):
                if isinstance(before, ast.Assign | ast.AnnAssign) and is_text(statement):
                    yield _constant(statement)


def _constant(statement: ast.stmt) -> ast.Constant:
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)
    return statement.value


def _around(text: str, match: re.Match[str]) -> str:
    start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    return text[start : end if end >= 0 else None].strip()
