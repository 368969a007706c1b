"""The access log: one line for each request, never with its query, its headers or its body."""

from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any, Final

import structlog

from schemas.clock import Clock

LINES_PER_SECOND: Final = 100
"""Most lines, on average over a minute; others are counted. A client in a loop must not fill the disk."""

WINDOW_SECONDS: Final = 60.0

_log: Final = structlog.get_logger("kascribe.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRequest:
    """What is logged of a request. ``route`` is the template of its path, None where there is no such route.

    ``path`` is shortened; ``status`` is None for a client that left before its answer began, ``reason`` says why a
    request was refused.
    """

    method: str
    route: str | None
    path: str
    status: int | None
    duration_seconds: float
    received_bytes: int
    sent_bytes: int
    client: str | None
    trace_id: str | None = None
    job_id: str | None = None
    tenant: str | None = None
    key_id: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class AccessLog:
    """Writes the lines. Belongs to one event loop."""

    clock: Clock
    _: KW_ONLY
    _window_began: float = float("-inf")
    _lines: int = 0
    _left_out: int = 0

    def write(self, request: AnsweredRequest) -> None:
        """Log one request, unless too many were logged in this minute."""
        now = self.clock.monotonic()
        if now - self._window_began >= WINDOW_SECONDS:
            self._begin_window(now)
        self._lines += 1
        if self._lines > LINES_PER_SECOND * WINDOW_SECONDS:
            self._left_out += 1
            return
        _log.info("request", **_present(request))

    def _begin_window(self, now: float) -> None:
        if self._left_out:
            _log.warning("requests left out of the access log", count=self._left_out)
        self._window_began, self._lines, self._left_out = now, 0, 0


def _present(request: AnsweredRequest) -> dict[str, Any]:
    return {name: value for name, value in asdict(request).items() if value is not None}
