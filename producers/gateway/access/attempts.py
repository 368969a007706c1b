"""Failed authentications: limited for each address and in all, and logged once per minute."""

from collections import OrderedDict
from dataclasses import KW_ONLY, dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

import structlog

from schemas.clock import Clock

WINDOW_SECONDS: Final = 60.0
FAILURES_PER_ADDRESS: Final = 30
"""Failures of one address in a window; after them it waits, unless its key is known."""

READS_PER_WINDOW: Final = 1_200
"""Reads of the bucket for keys that are not known, of all addresses: a flood from many is bounded too."""

ADDRESSES: Final = 10_000
"""Addresses that are remembered; the one that failed longest ago is forgotten."""

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Window:
    """Events since the window began."""

    began: float
    count: int = 0


@dataclass(slots=True)
class FailedAttempts:
    """Counts failures. Decides; the caller acts."""

    _: KW_ONLY
    clock: Clock
    _windows: OrderedDict[str, _Window] = field(default_factory=OrderedDict)
    _reads: _Window = field(default_factory=lambda: _Window(0.0))
    _unlogged: int = 0
    _logged_at: float | None = None

    def wait_seconds(self, address: str) -> float:
        """Return how long an address has to wait before a key that is not known is looked up; 0 if not at all.

        A look-up that need not wait counts as a read.
        """
        now = self.clock.monotonic()
        if now - self._reads.began >= WINDOW_SECONDS:
            self._reads = _Window(now)
        window = self._windows.get(network_of(address), _Window(now))
        full = (window, FAILURES_PER_ADDRESS), (self._reads, READS_PER_WINDOW)
        waits = [each.began + WINDOW_SECONDS - now for each, limit in full if each.count >= limit]
        if (wait := max(waits, default=0.0)) > 0:
            return wait
        self._reads.count += 1
        return 0.0

    def failed(self, address: str, reason: str) -> None:
        """Count a failure of an address, and log it unless one was logged within the last minute."""
        now = self.clock.monotonic()
        network = network_of(address)
        window = self._windows.get(network)
        if window is None or now - window.began >= WINDOW_SECONDS:
            window = self._windows[network] = _Window(now)
        self._windows.move_to_end(network)
        window.count += 1
        if len(self._windows) > ADDRESSES:
            self._windows.popitem(last=False)
        self._log(network, reason, now)

    def _log(self, network: str, reason: str, now: float) -> None:
        self._unlogged += 1
        if self._logged_at is None or now - self._logged_at >= WINDOW_SECONDS:
            _log.warning("API keys refused", count=self._unlogged, last_address=network, last_reason=reason)
            self._unlogged, self._logged_at = 0, now


def network_of(address: str) -> str:
    """Return the address itself, or the /64 network of an IPv6 address: one client has all of it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
