"""What live and ready mean for a gateway, in the shape of the other roles' answers (``schemas.monitoring``)."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from producers.gateway.monitoring.dependencies import Dependencies
from schemas.clock import Clock
from schemas.monitoring import HealthReport

SILENCE_SECONDS: Final = 5.0
"""A service that is slow for less than this is still ready: one check alone would come and go under load."""

ENRICHER: Final = "enricher"
ENRICHER_SILENCE_SECONDS: Final = 60.0
"""For enrichers that are all restarted: the broker may need 45 s to count one as a member again."""


@dataclass(slots=True)
class Health:
    """The checks of one gateway. ``threads`` says by name which of its threads run; ``needed`` may block.

    A service that is ``optional`` is reported only: all routes but its own work without it. Belongs to one event
    loop.
    """

    threads: Mapping[str, Callable[[], bool]]
    needed: Dependencies
    _: KW_ONLY
    clock: Clock
    optional: frozenset[str] = frozenset()
    _answered_at: dict[str, float] = field(default_factory=dict)

    def live(self) -> HealthReport:
        """Report whether the process can go on. That it answers shows that its event loop turns."""
        ended = [name for name, is_alive in self.threads.items() if not is_alive()]
        reasons = tuple(f"the thread {name} has ended; only a new process helps" for name in ended)
        return HealthReport(not reasons, reasons, {"threads": {name: name not in ended for name in self.threads}})

    async def ready(self) -> HealthReport:
        """Report whether requests can be served: every service that they need answers. Takes a second at most."""
        up = await self.needed.up()
        now = self.clock.monotonic()
        self._answered_at.update({name: now for name, answers in up.items() if answers})
        silent = [name for name in up if self._silence_seconds(name, now) >= _allowed_seconds(name)]
        reasons = tuple(_why(name) for name in silent if name not in self.optional)
        return HealthReport(not reasons, reasons, {"dependencies": {name: name not in silent for name in up}})

    def _silence_seconds(self, name: str, now: float) -> float:
        answered_at = self._answered_at.get(name)
        return float("inf") if answered_at is None else now - answered_at


def _allowed_seconds(name: str) -> float:
    return ENRICHER_SILENCE_SECONDS if name == ENRICHER else SILENCE_SECONDS


def _why(name: str) -> str:
    if name == ENRICHER:
        return (
            "the consumer group of the enricher has no member: start one, or set "
            "KASCRIBE_GATEWAY_ENRICHMENT=false where none runs"
        )
    return f"{name} does not answer"
