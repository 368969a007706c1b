"""The evaluation set: transcripts with outputs judged by their author, and what the rules say of each."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.vllm.doubts.claims import literals_of
from models.vllm.doubts.inspection import find_doubts
from models.vllm.doubts.material import Material
from models.vllm.enrichment.profiles import load_profiles
from schemas.transcripts.doubts import Doubt, DoubtRule
from schemas.transcripts.transcript import Segment

CASES: Final = Path(__file__).with_name("cases")
SPLITS: Final = ("tuning", "held_out")
LITERALS: Final = frozenset().union(*(literals_of(profile.schema) for profile in load_profiles().values()))


@dataclass(frozen=True, slots=True)
class Judged:
    """One output, judged right, wrong as a whole, or right except for one planted error of a kind."""

    transcript: str
    split: str
    judged: str
    kind: str
    output: Any
    doubts: tuple[Doubt, ...]

    @property
    def is_flagged(self) -> bool:
        """Whether any rule doubts the output. A spoken order concerns the transcript alone."""
        return any(doubt.rule is not DoubtRule.SPOKEN_ORDER for doubt in self.doubts)


def segments_of(lines: list[str]) -> tuple[Segment, ...]:
    """Return lines as segments with ids from 0."""
    return tuple(Segment(id=at, start=float(at), end=at + 1.0, text=line) for at, line in enumerate(lines))


def judged_outputs() -> Iterator[Judged]:
    """Yield every output of the set with its doubts."""
    for path in sorted(CASES.glob("*.toml")):
        case = tomllib.loads(path.read_text(encoding="utf-8"))
        material = Material.of(segments_of(case["lines"]))
        for one in case["outputs"]:
            output = json.loads(one["output"])
            doubts = find_doubts(output, material, literals=LITERALS)
            yield Judged(path.stem, case["split"], one["judged"], one["kind"], output, doubts)


def spoken_lines(language: str) -> Iterator[str]:
    """Yield the lines of all transcripts of a language."""
    for path in sorted(CASES.glob(f"{language}_*.toml")):
        yield from tomllib.loads(path.read_text(encoding="utf-8"))["lines"]
