"""What a check found: one row each, with the remedy where something is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CHECK_SECONDS: Final = 15.0
"""Limit of a check: longer than a broker, a store or a model server needs for its answers, however loaded."""


class State(StrEnum):
    """How a thing is. A warning works today; a skipped check could not be made, or is not needed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: ``name`` says what was looked at, ``remedy`` what to do; empty where nothing is wrong."""

    state: State
    name: str
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Finding:
    """Return a row for a thing that is as it should be."""
    return Finding(State.OK, name, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Return a row for a thing that works, and may not for ever."""
    return Finding(State.WARNING, name, found, remedy)


def failed(name: str, found: str, remedy: str) -> Finding:
    """Return a row for a thing that keeps a role from working."""
    return Finding(State.FAILED, name, found, remedy)


def skipped(name: str, found: str) -> Finding:
    """Return a row for a thing that was not looked at, and why."""
    return Finding(State.SKIPPED, name, found)


Findings = Callable[[], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``run`` yields rows as it finds them; those that came before the time limit are kept.

    It runs on a thread of its own once the checks that ``after`` names have passed, and is skipped where one of
    them has failed. ``area`` is the service that it is about. ``remedy`` is what to do when it does not end.
    """

    name: str
    area: str
    run: Findings
    remedy: str
    after: tuple[str, ...] = ()
    limit_seconds: float = CHECK_SECONDS


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All rows of one check, and how long it took."""

    check: Check
    findings: tuple[Finding, ...]
    seconds: float
    ended: bool = True
    blocked: bool = False
    """Skipped, because a check that it waits for did not pass."""

    @property
    def has_failed(self) -> bool:
        """Whether any row has failed."""
        return any(found.state is State.FAILED for found in self.findings)
