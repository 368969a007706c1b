"""Which module imports which: circles, and modules that only tests import.

An import counts wherever it stands: at the top, inside a function, under TYPE_CHECKING. It counts for the module
that is named: importing ``a.b.c`` does not count as importing ``a`` and ``a.b``, though Python runs them first.
"""

import ast
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.structure.sources import TESTS, Finding, Module, product

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Import:
    """One module importing another, by dotted names, and where."""

    importer: str
    imported: str
    finding: Finding


def imports(modules: Sequence[Module]) -> list[Import]:
    """List every import of one of ``modules`` by another; a statement with many names of it counts once."""
    known = {module.name for module in modules}
    found = (
        Import(module.name, target, Finding(module.path, line, f"imports {target}"))
        for module in modules
        for name, line in _named(module)
        if (target := _longest_known(name, known)) and target != module.name
    )
    return list(dict.fromkeys(found))


def graph(found: Iterable[Import]) -> Graph:
    """Collect what each module imports."""
    targets: dict[str, set[str]] = defaultdict(set)
    for one in found:
        targets[one.importer].add(one.imported)
    return {importer: frozenset(imported) for importer, imported in targets.items()}


def between_packages(found: Iterable[Import], modules: Iterable[Module], inside: str) -> list[Import]:
    """Translate imports between modules below the folder ``inside`` into imports between their packages."""
    packages = {module.name: module.package for module in modules if module.path.startswith(f"{inside}/")}
    return [
        Import(importer, imported, replace(one.finding, text=f"{importer} {one.finding.text}"))
        for one in found
        if (importer := packages.get(one.importer))
        and (imported := packages.get(one.imported))
        and importer != imported
    ]


def circles(edges: Graph) -> list[list[str]]:
    """List the strongly connected components that have more than one member, largest first, members in order."""
    reachable = {node: _reachable(edges, node) for node in edges}
    found = {
        tuple(sorted(other for other in reached if node in reachable.get(other, ())))
        for node, reached in reachable.items()
        if node in reached
    }
    return sorted((list(circle) for circle in found if len(circle) > 1), key=lambda circle: (-len(circle), circle))


def circle_findings(found: Sequence[Import]) -> list[Finding]:
    """List the imports that keep each circle closed, first those of the pair with the fewest: easiest to cut."""
    counts = Counter((one.importer, one.imported) for one in found)
    rarest_first = sorted(found, key=lambda one: (counts[one.importer, one.imported], one.importer, one.imported))
    return [
        replace(one.finding, text=f"{one.finding.text} (circle of {len(circle)})")
        for circle in circles(graph(found))
        for one in rarest_first
        if one.importer in circle and one.imported in circle
    ]


def only_for_tests(
    modules: Sequence[Module], found: Iterable[Import], entry_points: Iterable[str]
) -> list[Finding]:
    """List the product modules that no code outside ``tests`` imports.

    Not listed: packages, ``__main__``, modules that start themselves (``if __name__ == "__main__"``), those of
    ``entry_points``, and those that code outside ``tests`` names in a string, as for ``python -m``.
    """
    tests = {module.name for module in modules if module.top == TESTS}
    users: dict[str, list[str]] = defaultdict(list)
    for one in found:
        users[one.imported].append(one.importer)
    started = {*entry_points, *(text for module in modules if module.name not in tests for text in _texts(module))}
    return [
        Finding(module.path, 1, f"imported by {', '.join(sorted(set(users[module.name]))) or 'no module'}")
        for module in product(modules)
        if tests.issuperset(users[module.name])
        and module.name not in started
        and not (module.is_package or module.path.endswith("/__main__.py") or _starts_itself(module))
    ]


def entry_points(pyproject: str) -> list[str]:
    """Name the modules that the text of a pyproject.toml installs as commands."""
    scripts: Mapping[str, str] = tomllib.loads(pyproject).get("project", {}).get("scripts", {})
    return [target.split(":")[0] for target in scripts.values()]


def _named(module: Module) -> Iterator[tuple[str, int]]:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.package.split(".")
            start = above[: len(above) - node.level + 1] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((f"{origin}.{alias.name}", node.lineno) for alias in node.names)


def _longest_known(name: str, known: set[str]) -> str | None:
    parts = name.split(".")
    return next((prefix for end in range(len(parts), 0, -1) if (prefix := ".".join(parts[:end])) in known), None)


def _reachable(edges: Graph, start: str) -> frozenset[str]:
    reached: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting.extend(edges.get(node, ()))
    return frozenset(reached)


def _texts(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _starts_itself(module: Module) -> bool:
    return any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in module.syntax.body
    )
