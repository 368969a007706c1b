"""Every measure of one tree, as rows of a table."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.structure.classes import (
    PORTS,
    POSITIONAL_LIMIT,
    Kind,
    crowded_constructors,
    protocols_outside_ports,
    runtime_classes,
)
from tests.structure.folders import SIBLINGS_LIMIT, STATED_REASONS, siblings, too_full
from tests.structure.imports import (
    Import,
    between_packages,
    circle_findings,
    circles,
    entry_points,
    graph,
    imports,
    only_for_tests,
)
from tests.structure.lengths import bodies, module_lengths, percentile
from tests.structure.sources import PRODUCT, PROJECT, TESTS, Finding, Module, parse, product
from tests.structure.vocabulary import UNNAMED_LIMIT, per_1000, words

LONGEST_LISTED: Final = 10
"""Functions and modules that a list shows: all of them have a length."""

FULLEST_SHOWN: Final = 3
"""Folders that the table shows of each kind, besides those over the limit."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one tree. ``is_shown`` is false for a part that matters only beside another tree's."""

    label: str
    value: str
    findings: Sequence[Finding] = ()
    limit: str = ""
    is_broken: bool = False
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """A measure, and the parts or variants of it."""

    head: Row
    parts: Sequence[Row] = ()


def measure(texts: Mapping[str, str], reasons: Mapping[str, str] = STATED_REASONS) -> list[Section]:
    """Measure a tree, given as the texts of its files by path. Raises SyntaxError.

    The sections are the same for every tree; their parts may differ. ``reasons`` are of folders over the limit.
    """
    modules = parse(texts)
    ours, found = product(modules), imports(modules)
    tests = [module for module in modules if module.top == TESTS]
    started = entry_points(texts.get(PROJECT, ""))
    return [
        _functions(ours),
        _modules(ours),
        _siblings("folders of product code", ours, reasons),
        _siblings("folders of tests", tests, reasons),
        _circles(ours, found),
        _nouns(ours),
        _words(ours),
        _none_allowed(
            f"constructors with more than {POSITIONAL_LIMIT} positional parameters", crowded_constructors(ours)
        ),
        _count(f"public protocols outside a {PORTS}", protocols_outside_ports(ours)),
        _count("modules that only tests import", only_for_tests(modules, found, started)),
    ]


def _functions(modules: Sequence[Module]) -> Section:
    longest = bodies(modules)
    head = Row("functions", f"{len(longest):,}")
    return Section(head, [_lines("lines of a body: median / p90 / max", longest)])


def _modules(modules: Sequence[Module]) -> Section:
    longest = module_lengths(modules)
    return Section(Row("modules", f"{len(longest):,}"), [_lines("lines: median / p90 / max", longest)])


def _lines(label: str, longest: Sequence[tuple[int, Finding]]) -> Row:
    lengths = [lines for lines, _ in longest] or [0]
    value = f"{statistics.median(lengths):g} / {percentile(lengths, 0.9)} / {max(lengths)}"
    return Row(label, value, [finding for _, finding in longest[:LONGEST_LISTED]])


def _siblings(label: str, modules: Sequence[Module], reasons: Mapping[str, str]) -> Section:
    counts = dict(sorted(siblings(modules).items(), key=lambda entry: (-entry[1], entry[0])))
    unexplained = too_full(counts, reasons)
    over = sum(count > SIBLINGS_LIMIT for count in counts.values())
    parts = [
        Row(
            folder,
            str(count),
            limit=_folder_limit(folder, reasons),
            is_shown=number < FULLEST_SHOWN or number < over,
        )
        for number, (folder, count) in enumerate(counts.items())
    ]
    stated = over - len(unexplained)
    value = f"{over}, {stated} stated" if stated else str(over)
    head = Row(
        f"{label} with more than {SIBLINGS_LIMIT} siblings", value, unexplained, "0", is_broken=bool(unexplained)
    )
    return Section(head, parts)


def _folder_limit(folder: str, reasons: Mapping[str, str]) -> str:
    return "reason" if folder in reasons else str(SIBLINGS_LIMIT)


def _circles(modules: Sequence[Module], found: Iterable[Import]) -> Section:
    names = {module.name for module in modules}
    ours = [one for one in found if one.importer in names and one.imported in names]
    head = _circle_row("import circles between modules", ours)
    packages = _circle_row("between packages in consumers", between_packages(ours, modules, "consumers"))
    return Section(
        Row(head.label, head.value, head.findings, "0", is_broken=bool(head.findings)),
        [packages],
    )


def _circle_row(label: str, found: Sequence[Import]) -> Row:
    return Row(label, str(len(circles(graph(found)))), circle_findings(found))


def _nouns(modules: Sequence[Module]) -> Section:
    nouns = runtime_classes(modules, [Kind.NOUN])
    values = runtime_classes(modules, [Kind.VALUE, Kind.ENUM])
    others = runtime_classes(modules, [Kind.PROTOCOL, Kind.EXCEPTION])
    return Section(
        Row("nouns of the runtime", str(len(nouns)), nouns),
        [
            Row("with values and enums", str(len(nouns) + len(values)), values),
            Row("all public classes", str(len(nouns) + len(values) + len(others)), others),
        ],
    )


def _words(modules: Sequence[Module]) -> Section:
    total, unnamed = words(modules)
    rate = per_1000(total, len(unnamed))
    label = '"who", "nobody" and the like per 1,000 words'
    head = Row(label, f"{rate:.2f}", unnamed, str(UNNAMED_LIMIT), is_broken=rate > UNNAMED_LIMIT)
    parts = [Row("words of docstrings", f"{total:,}")]
    for top in PRODUCT:
        count, inside = words(module for module in modules if module.top == top)
        parts.append(Row(top, f"{per_1000(count, len(inside)):.2f}"))
    return Section(head, parts)


def _none_allowed(label: str, findings: Sequence[Finding]) -> Section:
    return Section(Row(label, str(len(findings)), findings, "0", is_broken=bool(findings)))


def _count(label: str, findings: Sequence[Finding]) -> Section:
    return Section(Row(label, str(len(findings)), findings))
