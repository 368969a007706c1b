"""An examination of the real servers, and what differs between two of them."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from kascribe.configuration.reading import load
from kascribe.operations.doctor.examination import examine
from kascribe.operations.doctor.findings import Finding, State
from kascribe.operations.doctor.plan import planned
from schemas.clock import SystemClock
from schemas.kafka.topics import Topics
from schemas.settings import Settings
from tests.integration.stack import PrivateStack

SERVED: Final = ("Kafka", "S3")
"""The areas that need the servers; the others are this machine's."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an examination, by name."""

    findings: Mapping[str, Finding]

    def __getitem__(self, name: str) -> Finding:
        return self.findings[name]

    @property
    def states(self) -> dict[str, State]:
        """The state of each row."""
        return {name: each.state for name, each in self.findings.items()}

    def named(self, state: State) -> set[str]:
        """Return the names of the rows in a state."""
        return {name for name, each in self.findings.items() if each.state is state}


class Installation:
    """Settings for the stack, with topics and a bucket of their own that nothing is wrong with."""

    def __init__(self, stack: PrivateStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stack = stack
        self.prefix = stack.new_prefix()
        self.topics = Topics(self.prefix)
        self.bucket = stack.new_bucket(notify_topic=self.topics.objects)
        self._monkeypatch = monkeypatch
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)

    def settings(self, **changed: object) -> Settings:
        """Return settings of this installation; ``changed`` are keys with two underscores for the dot."""
        overrides: dict[str, object] = {
            "kafka.topic_prefix": self.prefix,
            "kafka.group_id_prefix": self.prefix,
            "kafka.topic_partitions": 2,
            "s3.bucket": self.bucket,
        }
        overrides |= {name.replace("__", "."): value for name, value in changed.items()}
        return load(overrides=overrides).settings

    def use_credentials(self, credentials: Mapping[str, str]) -> None:
        """Take these AWS_* variables from now on."""
        for name, value in credentials.items():
            self._monkeypatch.setenv(name, value)


def examined(
    settings: Settings, *roles: str, areas: Sequence[str] = SERVED, grace_seconds: float | None = 60.0
) -> Rows:
    """Examine roles, all where none is named, and return the rows of some areas."""
    chosen = roles or ("transcriber", "gateway", "reconciler")
    checks = planned(settings, chosen, named=True, grace_seconds=grace_seconds, clock=SystemClock())
    found = examine([check for check in checks if check.area in areas], clock=SystemClock())
    return Rows({each.name: each for diagnosis in found for each in diagnosis.findings})


def differences(before: Rows, after: Rows) -> dict[str, State]:
    """Return the rows whose state is another one, with their new state."""
    return {name: state for name, state in after.states.items() if before.states.get(name) is not state}


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """Stop a process while the context lasts: its sockets stay open, and nothing is answered."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def pid_of(stack: PrivateStack, name: str) -> int | None:
    """Return the process id of a server of the stack."""
    return next(each.pid for each in stack.servers.status() if each.name.startswith(name))
