"""A request's body: with limits on the client's silence, on its pace and on its size."""

from __future__ import annotations

import asyncio
from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus
from typing import Final

from starlette.types import Message, Receive

from producers.gateway.connections.refusals import Refusal, Refusals
from producers.gateway.failures import RequestRefused
from schemas.clock import Clock

STALL_SECONDS: Final = 30.0
"""Longest wait for the next bytes of a body; the whole upload has no time limit."""

PACE_SECONDS: Final = 30.0
"""Over which the pace of a body is measured, so that a connection that pauses for a moment is not cut off."""

OTHER_BODY_BYTES: Final = 1024**2
"""Limit of a body without a file: JSON. It is read into memory."""


@dataclass(slots=True)
class PacedBody:
    """A ``receive`` that refuses the body of a silent or slow client. ``limit_bytes`` is None for uploads.

    Time counts only while the gateway waits for the client. Once the body is complete, waiting is not limited.
    """

    receive: Receive
    refusals: Refusals
    _: KW_ONLY
    bytes_per_second: int
    limit_bytes: int | None
    clock: Clock
    received_bytes: int = 0
    is_complete: bool = False
    _window_bytes: int = 0
    _waited_seconds: float = 0.0

    async def __call__(self) -> Message:
        """Return the next message. Raises RequestRefused: 408, or 413 above the limit."""
        if self.is_complete:
            return await self.receive()
        began = self.clock.monotonic()
        try:
            async with asyncio.timeout(STALL_SECONDS):
                message = await self.receive()
        except TimeoutError:
            raise self._refused(
                Refusal.STALLED_BODY,
                HTTPStatus.REQUEST_TIMEOUT,
                "upload_stalled",
                f"nothing came for {STALL_SECONDS:.0f} s",
            ) from None
        self._take(message, self.clock.monotonic() - began)
        return message

    def _take(self, message: Message, waited_seconds: float) -> None:
        count = len(message.get("body", b""))
        self.received_bytes += count
        self.is_complete = not message.get("more_body", False)
        if self.limit_bytes is not None and self.received_bytes > self.limit_bytes:
            raise self._refused(
                Refusal.BODY_TOO_LARGE,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "body_too_large",
                f"a body without a file is limited to {self.limit_bytes:,} bytes",
            )
        self._window_bytes += count
        self._waited_seconds += waited_seconds
        if self._waited_seconds >= PACE_SECONDS and not self.is_complete:
            self._check_pace()

    def _check_pace(self) -> None:
        if self._window_bytes < self.bytes_per_second * self._waited_seconds:
            raise self._refused(
                Refusal.SLOW_BODY,
                HTTPStatus.REQUEST_TIMEOUT,
                "upload_too_slow",
                f"{self._window_bytes} bytes came in {self._waited_seconds:.0f} s; at least "
                f"{self.bytes_per_second} per second are needed (KASCRIBE_GATEWAY_UPLOAD_RATE_BYTES_PER_SECOND)",
            )
        self._window_bytes, self._waited_seconds = 0, 0.0

    def _refused(self, kind: Refusal, status: HTTPStatus, reason: str, message: str) -> RequestRefused:
        self.refusals.count(kind)
        return RequestRefused(status, reason, message)
