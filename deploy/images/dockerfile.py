"""A Dockerfile as its builder reads it: stages, and the instructions of each in their order. Pure.

Only what our own files use: no heredocs, no ONBUILD, no escape directive, no ADD.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

KNOWN: Final = frozenset(
    {
        "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER", "VOLUME",
        "WORKDIR",
    }
)  # fmt: skip

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_FLAG: Final = re.compile(r"^--([a-z-]+)=(\S+)\s+")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. ``flags`` are its options before the rest, each with a value: ``--from=wheel``."""

    keyword: str
    rest: str
    flags: tuple[tuple[str, str], ...] = ()

    def flag(self, name: str) -> str | None:
        """Return the value of an option, if it is there."""
        return next((value for each, value in self.flags if each == name), None)

    @property
    def words(self) -> list[str]:
        """The rest as a list: of JSON, or split as a shell splits it."""
        return (
            [str(word) for word in json.loads(self.rest)] if self.rest.startswith("[") else shlex.split(self.rest)
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its name, what it is built on (another stage, or an image), and its instructions."""

    name: str
    origin: str
    instructions: tuple[Instruction, ...]

    def sources(self) -> set[str]:
        """Return the stages or images that it is made of."""
        copied = {flag for each in self.instructions if (flag := each.flag("from"))}
        return {self.origin, *copied}


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """All stages by name, in their order."""

    stages: Mapping[str, Stage]

    def needed(self, target: str) -> list[Stage]:
        """Return the stages that a target is made of, each after those that it needs. Raises KeyError."""
        found: dict[str, Stage] = {}

        def add(stage: Stage) -> None:
            for name in self.stages:
                if name in stage.sources():
                    add(self.stages[name])
            found.setdefault(stage.name, stage)

        add(self.stages[target])
        return list(found.values())


def parse(text: str, arguments: Mapping[str, str] | None = None) -> Dockerfile:
    """Read a Dockerfile; ``arguments`` replace the defaults of ARG before the first stage. Raises ValueError."""
    given: dict[str, str] = {}
    stages: dict[str, list[Instruction]] = {}
    origins: dict[str, str] = {}
    name = ""
    for line in _lines(text):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            origin, name = _from(rest, len(stages))
            stages[name], origins[name] = [], substituted(origin, given)
        elif keyword not in KNOWN:
            raise ValueError(f"{keyword} is no instruction that is understood here")
        elif name:
            stages[name].append(_instruction(keyword, rest.strip()))
        else:
            variable, _, default = rest.partition("=")
            given[variable] = (arguments or {}).get(variable, default)
    return Dockerfile({name: Stage(name, origins[name], tuple(each)) for name, each in stages.items()})


def substituted(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with its variables replaced; one that is not set is empty."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def assignments(instruction: Instruction) -> dict[str, str]:
    """Return the variables of an ENV instruction, their values as they are written."""
    return dict(word.split("=", 1) for word in shlex.split(instruction.rest))


def _lines(text: str) -> Iterator[str]:
    whole = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        whole += line.rstrip()
        if whole.endswith("\\"):
            whole = whole[:-1]
        elif whole.strip():
            yield whole.strip()
            whole = ""


def _from(rest: str, number: int) -> tuple[str, str]:
    words = rest.split()
    return words[0], words[2] if len(words) == 3 and words[1].upper() == "AS" else str(number)


def _instruction(keyword: str, rest: str) -> Instruction:
    flags = []
    while (found := _FLAG.match(rest)) is not None:
        flags.append((found[1], found[2]))
        rest = rest[found.end() :]
    return Instruction(keyword, rest, tuple(flags))
