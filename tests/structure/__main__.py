"""Measure the structure and the vocabulary of the working tree, beside those of other revisions.

Product code is what the wheel carries. A body is counted from its first statement after the docstring to its last;
declarations without a body do not count. Siblings are a folder's modules and its sub-folders that hold Python.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from tests.structure.folders import STATED_REASONS, siblings, stale_reasons
from tests.structure.measures import Section, measure
from tests.structure.sources import parse
from tests.structure.table import broken, listing, table
from tests.structure.trees import NoSuchRevision, revision, working_tree

WORKING_TREE: Final = "working tree"
COLUMNS: Final = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 where ``--check`` finds a limit broken in the working tree, 0 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.structure", description=__doc__)
    parser.add_argument("--revision", action="append", default=[], metavar="REV", help="may be repeated")
    parser.add_argument("--list", action="store_true", help="print the places behind each number")
    parser.add_argument("--check", action="store_true", help="exit 1 if the working tree breaks a limit")
    options = parser.parse_args(arguments)
    try:
        texts = {name: revision(name) for name in options.revision} | {WORKING_TREE: working_tree()}
        trees = {name: measure(files) for name, files in texts.items()}
    except (NoSuchRevision, SyntaxError) as error:
        parser.error(str(error))
    Console(width=COLUMNS, markup=False, highlight=False).print(table(trees))
    for folder, reason in STATED_REASONS.items():
        print(f"{folder}: {reason}")
    if options.list:
        for name, sections in trees.items():
            print(f"{name}\n{'=' * len(name)}", *listing(sections), sep="\n")
    return _check(texts[WORKING_TREE], trees[WORKING_TREE]) if options.check else 0


def _check(texts: Mapping[str, str], sections: Sequence[Section]) -> int:
    """Print to standard error what breaks a limit, with its places, and return the exit code."""
    problems = [f"{row.label}: {row.value}, limit {row.limit}" for row in broken(sections)]
    places = [[f"  {finding}" for finding in row.findings] for row in broken(sections)]
    for problem, lines in zip(problems, places, strict=True):
        print(problem, *lines, sep="\n", file=sys.stderr)
    stale = stale_reasons(siblings(parse(texts)), STATED_REASONS)
    for folder in stale:
        print(f"{folder}: does not need its entry in STATED_REASONS", file=sys.stderr)
    return int(bool(problems or stale))


if __name__ == "__main__":
    sys.exit(main())
