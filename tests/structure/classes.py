"""What the classes are: the nouns of the runtime, constructors with many parameters, protocols out of place.

The nouns of the runtime are the public classes at the top level of modules below ``consumers/runtime`` that act:
neither exceptions, enums, values (dataclasses, NamedTuples, TypedDicts, pydantic models) nor protocols. A reader
of the runtime must know each of them. A second count includes values and enums, a third all public classes.
"""

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePosixPath
from typing import Final

from tests.structure.sources import Finding, Function, Module, classes

RUNTIME: Final = "consumers/runtime/"
POSITIONAL_LIMIT: Final = 5
PORTS: Final = "ports.py"

_EXCEPTIONS: Final = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_ENUMS: Final = frozenset({"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"})
_VALUES: Final = frozenset({"NamedTuple", "TypedDict", "BaseModel"})


class Kind(Enum):
    """What a class is for."""

    NOUN = "noun"
    VALUE = "value"
    ENUM = "enum"
    PROTOCOL = "protocol"
    EXCEPTION = "exception"


Bases = Mapping[str, frozenset[str]]


def bases(modules: Iterable[Module]) -> Bases:
    """Collect the names of the bases of every class, by the class's own name."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for one in classes(module):
            found[one.name].update(_base_names(one))
    return {name: frozenset(names) for name, names in found.items()}


def kind_of(one: ast.ClassDef, known: Bases) -> Kind:
    """Tell what a class is by its decorators and its bases, direct or inherited. Bases are found by name."""
    direct = _base_names(one)
    if "Protocol" in direct:
        return Kind.PROTOCOL
    ancestors = _ancestors(direct, known)
    if ancestors & _EXCEPTIONS:
        return Kind.EXCEPTION
    if ancestors & _ENUMS:
        return Kind.ENUM
    is_dataclass = any(_last_name(decorator) == "dataclass" for decorator in one.decorator_list)
    return Kind.VALUE if is_dataclass or ancestors & _VALUES else Kind.NOUN


def runtime_classes(modules: Iterable[Module], kinds: Iterable[Kind]) -> list[Finding]:
    """List the public classes of the runtime that are one of ``kinds``."""
    modules = list(modules)
    known, wanted = bases(modules), frozenset(kinds)
    return [
        Finding(module.path, one.lineno, f"{one.name} ({kind.value})")
        for module in modules
        if module.path.startswith(RUNTIME)
        for one in classes(module)
        if not one.name.startswith("_") and (kind := kind_of(one, known)) in wanted
    ]


def protocols_outside_ports(modules: Iterable[Module]) -> list[Finding]:
    """List the public protocols whose module is not named ``ports.py``."""
    return [
        Finding(module.path, one.lineno, one.name)
        for module in modules
        if PurePosixPath(module.path).name != PORTS
        for one in classes(module)
        if "Protocol" in _base_names(one) and not one.name.startswith("_")
    ]


def crowded_constructors(modules: Iterable[Module]) -> list[Finding]:
    """List the written constructors with more than ``POSITIONAL_LIMIT`` positional parameters besides ``self``.

    A dataclass's constructor is generated: its fields are the parts of a value and not collaborators.
    """
    return [
        Finding(module.path, constructor.lineno, f"{one.name}, {count} positional parameters")
        for module in modules
        for one in module.nodes
        if isinstance(one, ast.ClassDef)
        for constructor in one.body
        if isinstance(constructor, Function)
        and constructor.name == "__init__"
        and (count := len(constructor.args.posonlyargs) + len(constructor.args.args) - 1) > POSITIONAL_LIMIT
    ]


def _base_names(one: ast.ClassDef) -> frozenset[str]:
    return frozenset(_last_name(base) for base in one.bases)


def _last_name(expression: ast.expr) -> str:
    while isinstance(expression, ast.Subscript | ast.Call):
        expression = expression.value if isinstance(expression, ast.Subscript) else expression.func
    return ast.unparse(expression).rpartition(".")[2]


def _ancestors(direct: frozenset[str], known: Bases) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(direct)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(known.get(name, ()))
    return frozenset(found)
