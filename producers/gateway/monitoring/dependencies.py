"""Health of the services behind the gateway, reported without waiting for a slow one."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

import structlog

from schemas.clock import Clock

ANSWER_SECONDS: Final = 0.7
"""A service that takes longer counts as down; the check continues, and the next call sees its result."""

FRESH_SECONDS: Final = 2.0
"""Checks younger than this are reused: probes of an orchestrator and of a balancer share one."""

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class Dependencies:
    """Checks services, one check of each at a time. Its ``checks`` may block for any time."""

    checks: Mapping[str, Callable[[], bool]]
    executor: Executor
    _: KW_ONLY
    clock: Clock
    _running: dict[str, asyncio.Future[bool]] = field(default_factory=dict)
    _started: dict[str, float] = field(default_factory=dict)
    _down: set[str] = field(default_factory=set)

    async def up(self) -> dict[str, bool]:
        """Return which services answer. Takes less than a second."""
        checks = {name: self._check(name) for name in self.checks}
        await asyncio.wait(checks.values(), timeout=ANSWER_SECONDS)
        found = {name: future.done() and _succeeded(future) for name, future in checks.items()}
        self._log_changes(found)
        return found

    def _log_changes(self, found: Mapping[str, bool]) -> None:
        for name, is_up in found.items():
            if is_up and name in self._down:
                self._down.remove(name)
                _log.info("dependency answers again", dependency=name)
            elif not is_up and name not in self._down:
                self._down.add(name)
                _log.warning("dependency does not answer", dependency=name)

    def _check(self, name: str) -> asyncio.Future[bool]:
        running = self._running.get(name)
        now = self.clock.monotonic()
        if running is None or (running.done() and now - self._started[name] > FRESH_SECONDS):
            running = asyncio.get_running_loop().run_in_executor(self.executor, self.checks[name])
            self._running[name], self._started[name] = running, now
        return running


def _succeeded(future: asyncio.Future[bool]) -> bool:
    return not future.cancelled() and future.exception() is None and future.result()
