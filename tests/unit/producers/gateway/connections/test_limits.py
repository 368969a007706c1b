"""Limits within what a process may have open."""

import pytest

from producers.gateway.connections.limits import KEPT_CONNECTIONS, OTHER_DESCRIPTORS, UNLIMITED, limits_of
from schemas.settings import GatewaySettings


def test_with_enough_open_files_the_settings_are_the_limits() -> None:
    """Nothing is taken away."""
    settings = GatewaySettings()
    limits = limits_of(settings, open_files=UNLIMITED)
    assert (limits.connections, limits.client_connections) == (2_000, 600)
    assert (limits.requests, limits.streams, limits.uploads) == (1_000, 500, 800)
    assert limits_of(settings, open_files=limits.open_files) == limits


@pytest.mark.parametrize("open_files", [200, 256, 1_024, 2_000, 4_096])
def test_limits_fit_the_open_files(open_files: int) -> None:
    """Connections, spooled files and everything else, all at once."""
    limits = limits_of(GatewaySettings(), open_files=open_files)
    assert limits.connections + limits.uploads + KEPT_CONNECTIONS + OTHER_DESCRIPTORS <= open_files
    assert limits.client_connections <= limits.connections


@pytest.mark.parametrize("open_files", [100, 256, 1_024, UNLIMITED])
def test_requests_and_streams_never_take_every_connection(open_files: int) -> None:
    """A quarter at least remains for those that send headers, health among them."""
    limits = limits_of(GatewaySettings(request_limit=9_999, stream_limit=9_999), open_files=open_files)
    assert limits.requests + limits.streams <= 0.75 * limits.connections
