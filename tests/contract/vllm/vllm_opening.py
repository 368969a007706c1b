"""Enrichers on doubles, which record their pauses instead of sleeping."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from models.vllm.enricher import Enricher
from schemas.clock import Clock
from schemas.settings import VllmSettings
from tests.contract.vllm.vllm_double import VllmDouble


class Opener(Protocol):
    """Opens an enricher with these settings, by default on the test's double."""

    def __call__(self, *, clock: Clock | None = None, **settings: object) -> Enricher:
        """Open an enricher; it is closed when the test ends."""
        ...


@contextmanager
def opener(double: VllmDouble, pauses: list[float]) -> Iterator[Opener]:
    """Yield an opener; close what it opened at the end."""
    enrichers: list[Enricher] = []

    async def no_pause(seconds: float) -> None:
        pauses.append(seconds)

    def open_one(*, clock: Clock | None = None, **settings: object) -> Enricher:
        values = {"base_url": double.base_url, "timeout_seconds": 5.0, **settings}
        enrichers.append(Enricher(VllmSettings.model_validate(values), sleep=no_pause, clock=clock))
        return enrichers[-1]

    try:
        yield open_one
    finally:
        for enricher in enrichers:
            enricher.close()
