"""Parsed source files. Every measure takes these, so that it works for any revision without a checkout."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Final

PROJECT: Final = "pyproject.toml"
PRODUCT: Final = ("schemas", "models", "producers", "consumers", "kascribe")
TESTS: Final = "tests"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that a measure counts, as editors open it, and why. A folder has no line."""

    path: str
    line: int | None
    text: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}  {self.text}"


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file: its path from the repository's root, its text, its syntax tree and every node of that."""

    path: str
    text: str
    syntax: ast.Module
    nodes: Sequence[ast.AST]

    @property
    def name(self) -> str:
        """The dotted name by which it is imported; a package's ``__init__.py`` has the package's."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_package(self) -> bool:
        """Whether this is a package's ``__init__.py``."""
        return PurePosixPath(self.path).name == "__init__.py"

    @property
    def package(self) -> str:
        """The dotted name of the package that relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def top(self) -> str:
        """The folder at the root of the repository."""
        return self.path.split("/")[0]


def parse(texts: Mapping[str, str]) -> list[Module]:
    """Parse the Python files among ``texts``, by path; other files are left out. Raises SyntaxError."""
    return [_module(path, texts[path]) for path in sorted(texts) if path.endswith(".py")]


# Most files are the same at both revisions, and walking a tree takes longer than parsing it.
@cache
def _module(path: str, text: str) -> Module:
    syntax = ast.parse(text, filename=path)
    return Module(path, text, syntax, tuple(ast.walk(syntax)))


def product(modules: Iterable[Module]) -> list[Module]:
    """Select the modules that the wheel carries."""
    return [module for module in modules if module.top in PRODUCT]


def functions(module: Module) -> Iterator[Function]:
    """Iterate over every function and method, nested ones too."""
    return (node for node in module.nodes if isinstance(node, Function))


def classes(module: Module) -> Iterator[ast.ClassDef]:
    """Iterate over the classes at the top level."""
    return (node for node in module.syntax.body if isinstance(node, ast.ClassDef))


def is_text(statement: ast.stmt) -> bool:
    """Whether a statement is nothing but a string: a docstring, or an attribute's."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
