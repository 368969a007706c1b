"""Keys and their doubles, for tests without a bucket."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from producers.api_keys.key import ApiKey, KeyDefaults, KeyLimits
from producers.api_keys.rights import Right
from schemas.errors import DependencyDown

Result = TypeVar("Result")


def key_of(key_id: str = "k1", *, defaults: KeyDefaults | None = None, **limits: int) -> ApiKey:
    """Build a key of the tenant acme with these limits."""
    return ApiKey(
        id=key_id,
        name="a key",
        tenant="acme",
        rights=tuple(Right),
        limits=KeyLimits(**limits),
        defaults=defaults or KeyDefaults(),
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


class Bucket:
    """The keys of a bucket, by digest: counts its reads, and can be down."""

    def __init__(self, **keys: ApiKey) -> None:
        self.keys = dict(keys)
        self.reads: list[str] = []
        self.is_down = False

    def find(self, digest: str) -> ApiKey | None:
        """As ``ApiKeys.find``."""
        self.reads.append(digest)
        if self.is_down:
            raise DependencyDown("s3", "no bucket")
        return self.keys.get(digest)


def on_a_loop(scenario: Callable[[ThreadPoolExecutor], Coroutine[Any, Any, Result]]) -> Result:
    """Run a scenario on an event loop, with one thread for its blocking calls."""
    with ThreadPoolExecutor(1) as threads:
        return asyncio.run(scenario(threads))
