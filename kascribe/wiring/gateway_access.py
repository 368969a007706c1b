"""The wiring of the gateway's API keys."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog

from producers.api_keys.store import ApiKeys
from producers.api_keys.usage import UsageStore
from producers.gateway.access.attempts import FailedAttempts
from producers.gateway.access.gate import Gate
from producers.gateway.access.key_ring import KeyRing
from producers.gateway.access.limits import Limits
from producers.gateway.access.usage_book import UsageBook
from schemas.clock import Clock
from schemas.identity import random_id
from schemas.settings import GatewaySettings, Settings
from schemas.settings.gateway import OPEN_GATEWAY

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log: Final = structlog.get_logger(__name__)

KEY_THREADS: Final = 4
"""Own threads, so that keys are read while uploads wait for the bucket."""


def warn_if_open(settings: GatewaySettings) -> None:
    """Log a warning where every client that reaches the machine may send requests."""
    if settings.is_open:
        remedy = OPEN_GATEWAY.format(host=settings.host)
        _log.warning("anyone who reaches the gateway can use it", host=settings.host, remedy=remedy)


@asynccontextmanager
async def opened_gate(settings: Settings, client: "S3Client", *, clock: Clock) -> AsyncIterator[Gate | None]:
    """Open the gate, where keys are in use; at the end write what they have used."""
    if settings.gateway.keys == "off":
        yield None
        return
    with ThreadPoolExecutor(KEY_THREADS, "keys") as threads:
        usage = UsageBook(UsageStore(settings.s3, client=client), threads, clock=clock, gateway=random_id())
        ring = KeyRing(ApiKeys(settings.s3, client=client).find, threads, clock=clock)
        exchanging = asyncio.create_task(usage.keep_exchanging())
        try:
            yield Gate(ring, FailedAttempts(clock=clock), Limits(clock=clock), usage, clock=clock)
        finally:
            exchanging.cancel()
            with suppress(asyncio.CancelledError):
                await exchanging
            await usage.write_all()
