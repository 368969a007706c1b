"""Which mutants are run: all of a module, or a fixed sample that stays the same as long as their functions do."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WORKPLACE: Final = Path("mutants")
# Of pytest and of mutmut: every test passed, no test was collected, no test reaches the function.
UNNOTICED: Final = frozenset({0, 5, 33})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted fault: its module's path, mutmut's name for it, and how its last run ended (None: not run)."""

    module: str
    name: str
    exit_code: int | None

    @property
    def noticed(self) -> bool:
        """Whether a test failed because of it, or ran so long that it was ended."""
        return self.exit_code is not None and self.exit_code not in UNNOTICED


def all_mutants(workplace: Path = WORKPLACE) -> list[Mutant]:
    """List every mutant that mutmut made, by module."""
    found: list[Mutant] = []
    for meta in sorted(workplace.rglob("*.py.meta")):
        module = str(meta.relative_to(workplace)).removesuffix(".meta")
        codes: Mapping[str, int | None] = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        found += [Mutant(module, name, code) for name, code in codes.items()]
    return found


def sampled(mutants: Iterable[Mutant], per_module: int | None) -> list[Mutant]:
    """Select of every module the ``per_module`` mutants whose names have the lowest digests; None selects all."""
    by_module: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_module.setdefault(mutant.module, []).append(mutant)
    return [
        mutant
        for module in sorted(by_module)
        for mutant in sorted(by_module[module], key=lambda one: _digest(one.name))[:per_module]
    ]


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
