"""A failure: how it is provoked, and what health, metrics, the log and the work must show."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.roles import Role
from tests.integration.stack import PrivateStack

if TYPE_CHECKING:
    from tests.chaos.failures.scene import Scene

JOBS: Final = 6
HOLD_SECONDS: Final = 18.0
"""Longer than five pauses after each of which a probe finds the service up: then a record would be blamed."""


class Published(Enum):
    """When the jobs are published: before the failure, as soon as it has begun, or once it has been noticed."""

    BEFORE = auto()
    AT_ONCE = auto()
    ONCE_NOTICED = auto()


@dataclass(frozen=True, slots=True)
class Sample:
    """A value that a sample of ``/metrics`` must reach or exceed, counted from when the failure began."""

    name: str
    value: float = 1.0

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log: regular expressions of its event and of its fields."""

    event: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a failure must show. Regular expressions; None where nothing may change.

    ``ready`` is the reason for which the process is not ready, or None when it stays ready; ``live`` likewise.
    ``exit_codes`` are those of the processes that end, each of which is started again, as a supervisor does.
    ``retries`` is the most records that may go through a retry topic, ``letters`` how many must be dead letters.
    """

    ready: str | None
    sample: Sample | None
    line: Line | None
    work: str
    live: str | None = None
    exit_codes: tuple[int, ...] = ()
    retries: int = 0
    letters: int = 0


@dataclass(frozen=True, slots=True)
class Setup:
    """What a scene needs before its role starts, and how the failure begins and ends in it."""

    begin: "Callable[[Scene], object]"
    end: "Callable[[Scene], object]"
    settings: Mapping[str, str] = field(default_factory=dict)
    launcher: tuple[str, ...] = ()
    program: str = "kascribe"


SetUp = Callable[[PrivateStack, Path], AbstractContextManager[Setup]]
"""Prepares a failure on the servers, in a directory for its files."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One row. ``provoked`` says how, in a sentence.

    The failure lasts for ``hold_seconds`` after everything expected has been seen; a process that is not ready may
    not seem to be in that time. ``brokers`` is how many the row needs. ``missing`` returns what this machine lacks
    to provoke it, or nothing.
    """

    name: str
    title: str
    provoked: str
    set_up: SetUp
    expected: Expected
    published: Published = Published.AT_ONCE
    hold_seconds: float = HOLD_SECONDS
    jobs: int = JOBS
    brokers: int = 1
    role: Role = Role.TRANSCRIBER
    missing: Callable[[], str] = lambda: ""
