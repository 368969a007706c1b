"""How long functions and modules are, in lines."""

import ast
import math
from collections.abc import Iterable, Sequence

from tests.structure.sources import Finding, Function, Module, functions, is_text


def body_lines(function: Function) -> int:
    """Count the lines from the first statement after the docstring to the end of the last one.

    The signature, decorators and docstring do not count; comments and empty lines in between do. So does a nested
    function, which counts for its own besides. A declaration (only a docstring, ``...`` or ``pass``) has 0.
    """
    body = function.body[1:] if is_text(function.body[0]) else function.body
    if all(_is_empty(statement) for statement in body):
        return 0
    return (body[-1].end_lineno or 0) - _first_line(body[0]) + 1


def bodies(modules: Iterable[Module]) -> list[tuple[int, Finding]]:
    """List the functions that have a body with its length, longest first. Declarations are left out."""
    lengths = [
        (lines, Finding(module.path, function.lineno, f"{function.name}, {lines} lines"))
        for module in modules
        for function in functions(module)
        if (lines := body_lines(function))
    ]
    return sorted(lengths, key=lambda entry: -entry[0])


def module_lengths(modules: Iterable[Module]) -> list[tuple[int, Finding]]:
    """List the modules with their lengths, longest first. A package's ``__init__.py`` is left out."""
    lengths = [
        (lines, Finding(module.path, 1, f"{lines} lines"))
        for module in modules
        if not module.is_package and (lines := len(module.text.splitlines()))
    ]
    return sorted(lengths, key=lambda entry: -entry[0])


def percentile(values: Sequence[int], share: float) -> int:
    """Return the smallest value that at least ``share`` of all values do not exceed; 0 of no values."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0


def _is_empty(statement: ast.stmt) -> bool:
    is_ellipsis = (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is Ellipsis
    )
    return is_ellipsis or isinstance(statement, ast.Pass)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])
