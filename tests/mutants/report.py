"""The results of the planted faults, as a page: a table by module, and every fault that no test noticed."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.mutants.sampling import Mutant

REASONS: Final = Path(__file__).with_name("reasons.toml")
WORDING: Final = "the wording of a message"
NO_REASON: Final = "**no test yet**"
_LITERAL: Final = re.compile(r"\"[^\"]*\"|'[^']*'")

_HEAD: Final = """# Planted faults

Written by `make mutants`. [mutmut](https://mutmut.readthedocs.io) changes one small thing in a module that decides
(a comparison, a number, an argument, a word), and the unit and contract tests that reach the function run. Lines
that only write a log are left alone.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant changed: one line and what it became. Empty where a line was removed or added alone."""

    was: str
    became: str

    @property
    def is_wording(self) -> bool:
        """Whether only the letters of messages differ: of literals with a space in them."""
        plain = [line.replace("XX", "").casefold() for line in (self.was, self.became)]
        texts = zip(_LITERAL.findall(self.was), _LITERAL.findall(self.became), strict=False)
        changed = [was for was, became in texts if was != became]
        return plain[0] == plain[1] and bool(changed) and all(" " in text for text in changed)


def change_in(diff: str) -> Change:
    """Find the first changed line of a unified diff."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was = next((line[1:].strip() for line in lines if line.startswith("-")), "")
    became = next((line[1:].strip() for line in lines if line.startswith("+")), "")
    return Change(was, became)


def known_reasons(path: Path = REASONS) -> dict[tuple[str, str], str]:
    """Read the reasons, written by people, why changes are not noticed; by the line and what it became."""
    with path.open("rb") as file:
        entries: list[Mapping[str, str]] = tomllib.load(file).get("reason", [])
    return {(entry["was"], entry["became"]): entry["why"] for entry in entries}


def page(ran: Sequence[Mutant], *, rule: str, change_of: Callable[[str], Change]) -> str:
    """Write the whole page. ``rule`` states which mutants ran; ``change_of`` returns a mutant's change by name."""
    unnoticed = [mutant for mutant in ran if not mutant.noticed]
    return "\n".join(
        [_HEAD, rule, "", *_table(ran), "", "## Not noticed", "", *_survivors(unnoticed, change_of), ""]
    )


def _table(ran: Sequence[Mutant]) -> Iterable[str]:
    yield "| module | faults | noticed | share |"
    yield "|---|---:|---:|---:|"
    for module, group in groupby(ran, key=lambda mutant: mutant.module):
        yield _row(f"`{module}`", list(group))
    yield _row("all", ran)


def _row(name: str, ran: Sequence[Mutant]) -> str:
    noticed = sum(mutant.noticed for mutant in ran)
    return f"| {name} | {len(ran)} | {noticed} | {noticed / max(1, len(ran)):.0%} |"


def _survivors(unnoticed: Sequence[Mutant], change_of: Callable[[str], Change]) -> Iterable[str]:
    reasons = known_reasons()
    yield "| module | was | became | why nothing notices |"
    yield "|---|---|---|---|"
    for mutant in unnoticed:
        change = change_of(mutant.name)
        why = reasons.get((change.was, change.became)) or (WORDING if change.is_wording else NO_REASON)
        yield f"| `{mutant.module}` | {_code(change.was)} | {_code(change.became)} | {why} |"


def _code(line: str) -> str:
    return f"`{line.replace('|', chr(0xA6)).replace('`', chr(0x2BC))}`" if line else ""
