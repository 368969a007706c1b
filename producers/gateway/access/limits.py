"""Rate and concurrency of each API key, in one gateway. Decisions on values and the time."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from producers.api_keys.key import ApiKey
from producers.gateway.access.credentials import too_many
from schemas.clock import Clock

WINDOW_SECONDS: Final = 60.0
CONCURRENCY_RETRY_SECONDS: Final = 1.0
"""Told to a client with too many requests in progress: one of them may end at any time."""


@dataclass(slots=True)
class Limits:
    """The requests of each key: when they came, and how many are in progress. Belongs to one event loop."""

    _: KW_ONLY
    clock: Clock
    _times: dict[str, deque[float]] = field(default_factory=dict)
    _requests: Counter[str] = field(default_factory=Counter)
    _streams: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def slot(self, key: ApiKey, *, is_stream: bool) -> Iterator[dict[str, str]]:
        """Hold one of the key's requests or streams in progress; yields headers for the answer.

        Raises RequestRefused (429) above one of its limits.
        """
        limits, name = key.limits, "event streams" if is_stream else "requests"
        limit = limits.concurrent_streams if is_stream else limits.concurrent_requests
        held = self._streams if is_stream else self._requests
        if limit is not None and held[key.id] >= limit:
            raise too_many(
                "too_many_streams" if is_stream else "too_many_requests",
                f"the API key may have {limit} {name} in progress at this gateway; wait until one has ended",
                retry_seconds=CONCURRENCY_RETRY_SECONDS,
            )
        headers = self._counted(key)
        held[key.id] += 1
        try:
            yield headers
        finally:
            held[key.id] -= 1
            if not held[key.id]:
                del held[key.id]

    def in_progress(self, key_id: str) -> tuple[int, int]:
        """Return how many requests and streams of a key are in progress."""
        return self._requests[key_id], self._streams[key_id]

    def _counted(self, key: ApiKey) -> dict[str, str]:
        """Count a request; return the fields of draft-ietf-httpapi-ratelimit-headers. Raises RequestRefused."""
        limit = key.limits.requests_per_minute
        if limit is None:
            return {}
        now = self.clock.monotonic()
        times = self._times.setdefault(key.id, deque())
        while times and now - times[0] >= WINDOW_SECONDS:
            times.popleft()
        if len(times) >= limit:
            raise too_many(
                "rate_limited",
                f"the API key may send {limit} requests per minute to this gateway",
                retry_seconds=times[0] + WINDOW_SECONDS - now,
            )
        times.append(now)
        reset_seconds = int(times[0] + WINDOW_SECONDS - now) + 1
        return {
            "RateLimit-Policy": f'"requests";q={limit};w={WINDOW_SECONDS:.0f}',
            "RateLimit": f'"requests";r={limit - len(times)};t={reset_seconds}',
        }
