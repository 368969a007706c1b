"""Failed authentications: what waits, and what is logged."""

import pytest

from producers.gateway.access import attempts
from producers.gateway.access.attempts import FAILURES_PER_ADDRESS, WINDOW_SECONDS, FailedAttempts, network_of
from tests.support.clock import HandClock


def failing(counted: FailedAttempts, address: str, times: int) -> None:
    """Fail so many times from an address."""
    for _ in range(times):
        counted.failed(address, "key_invalid")


def test_an_address_waits_for_the_rest_of_the_minute() -> None:
    """After its last permitted failure, and no other address does."""
    clock = HandClock()
    counted = FailedAttempts(clock=clock)
    failing(counted, "192.0.2.1", FAILURES_PER_ADDRESS - 1)
    assert counted.wait_seconds("192.0.2.1") == 0
    clock.seconds = 20
    failing(counted, "192.0.2.1", 1)
    assert counted.wait_seconds("192.0.2.1") == WINDOW_SECONDS - 20
    assert counted.wait_seconds("192.0.2.2") == 0
    clock.seconds = WINDOW_SECONDS
    assert counted.wait_seconds("192.0.2.1") == 0
    failing(counted, "192.0.2.1", 1)
    assert counted.wait_seconds("192.0.2.1") == 0


def test_a_flood_from_many_addresses_reads_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a minute; later ones wait for the next."""
    monkeypatch.setattr(attempts, "READS_PER_WINDOW", 3)
    clock = HandClock()
    counted = FailedAttempts(clock=clock)
    waits = [counted.wait_seconds(f"192.0.2.{number}") for number in range(5)]
    assert waits == [0, 0, 0, WINDOW_SECONDS, WINDOW_SECONDS]
    clock.seconds = WINDOW_SECONDS
    assert counted.wait_seconds("192.0.2.9") == 0


def test_addresses_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that failed longest ago is forgotten first."""
    monkeypatch.setattr(attempts, "ADDRESSES", 2)
    counted = FailedAttempts(clock=HandClock())
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        failing(counted, address, 1)
    assert list(counted._windows) == ["192.0.2.1", "192.0.2.3"]


def test_failures_are_logged_once_in_a_minute_with_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    """The first at once; those that followed it with the next line."""
    clock = HandClock()
    counted = FailedAttempts(clock=clock)
    failing(counted, "192.0.2.1", 100)
    clock.seconds = WINDOW_SECONDS - 1
    failing(counted, "192.0.2.2", 1)
    assert capsys.readouterr().out.count("API keys refused") == 1
    clock.seconds = WINDOW_SECONDS
    failing(counted, "192.0.2.3", 1)
    logged = capsys.readouterr().out
    assert logged.count("API keys refused") == 1
    for part in ("count=101", "192.0.2.3", "key_invalid"):
        assert part in logged


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("/run/gateway.sock", "/run/gateway.sock"),
    ],
)
def test_a_client_of_ipv6_has_a_whole_network(address: str, network: str) -> None:
    """It would otherwise have as many attempts as addresses."""
    assert network_of(address) == network
