"""What each receiving host may cost: places, waiting records, and rest after failures."""

from typing import Final

import pytest

from consumers.notifier.hosts import FAILURES_IN_A_ROW, HOSTS_LIMIT, WAITING_PER_PLACE, Hosts
from consumers.runtime.ports import FollowsAnother
from schemas.errors import WebhookFailed, WebhookPostponed
from schemas.kafka.records import Coordinates

HOST: Final = "hooks.example:443"


def _hosts(*, concurrency: int = 2) -> Hosts:
    return Hosts(concurrency=concurrency, rest_seconds=30.0, patience_seconds=60.0)


def _record(number: int) -> Coordinates:
    return Coordinates("audio.webhooks", 0, number)


def _failing(hosts: Hosts, *, now: float) -> None:
    for number in range(FAILURES_IN_A_ROW):
        hosts.enter(HOST, _record(number), is_last=False, now=now)
        hosts.leave(HOST, _record(number), succeeded=False, now=now)


def test_a_record_beyond_the_places_follows_one_that_has_a_place() -> None:
    """It holds no worker, and runs when that one has ended; the followers are spread."""
    hosts = _hosts()
    for number in range(2):
        hosts.enter(HOST, _record(number), is_last=False, now=0)
    leaders = set()
    for number in (2, 3):
        with pytest.raises(FollowsAnother) as follows:
            hosts.enter(HOST, _record(number), is_last=False, now=0)
        leaders.add(follows.value.leader)
    assert leaders == {_record(0), _record(1)}
    hosts.enter("other.example:443", _record(4), is_last=False, now=0)
    hosts.leave(HOST, _record(0), succeeded=True, now=0)
    hosts.enter(HOST, _record(2), is_last=False, now=0)


def test_more_records_than_may_wait_are_postponed_until_there_is_room() -> None:
    """They would take the places of other hosts' records; one that waited in vain no longer counts."""
    hosts = _hosts(concurrency=1)
    hosts.enter(HOST, _record(0), is_last=False, now=0)
    for number in range(1, WAITING_PER_PLACE + 1):
        with pytest.raises(FollowsAnother):
            hosts.enter(HOST, _record(number), is_last=False, now=0)
    with pytest.raises(WebhookPostponed):
        hosts.enter(HOST, _record(9), is_last=False, now=0)
    with pytest.raises(FollowsAnother):
        hosts.enter(HOST, _record(1), is_last=False, now=0)
    with pytest.raises(FollowsAnother):
        hosts.enter(HOST, _record(9), is_last=False, now=61)


def test_a_host_that_fails_in_a_row_rests() -> None:
    """Nothing is tried meanwhile, but for a record whose last attempt it is."""
    hosts = _hosts()
    _failing(hosts, now=0)
    with pytest.raises(WebhookFailed, match="left alone") as failure:
        hosts.enter(HOST, _record(7), is_last=False, now=1)
    assert failure.value.retry_after_seconds == 29
    hosts.enter(HOST, _record(8), is_last=True, now=1)


def test_after_its_rest_one_record_tries_the_host() -> None:
    """If it succeeds all others may; if not, the host rests again."""
    hosts = _hosts()
    _failing(hosts, now=0)
    hosts.enter(HOST, _record(7), is_last=False, now=31)
    with pytest.raises(WebhookFailed):
        hosts.enter(HOST, _record(8), is_last=False, now=31)
    hosts.leave(HOST, _record(7), succeeded=False, now=32)
    with pytest.raises(WebhookFailed):
        hosts.enter(HOST, _record(8), is_last=False, now=61)
    hosts.enter(HOST, _record(8), is_last=False, now=63)
    hosts.leave(HOST, _record(8), succeeded=True, now=63)
    for number in (9, 10):
        hosts.enter(HOST, _record(number), is_last=False, now=63)


def test_a_host_that_asks_for_rest_gets_it() -> None:
    """``Retry-After`` of one answer holds for the host's other events as well."""
    hosts = _hosts()
    hosts.enter(HOST, _record(0), is_last=False, now=0)
    hosts.leave(HOST, _record(0), succeeded=False, now=0, rest_seconds=120)
    with pytest.raises(WebhookFailed):
        hosts.enter(HOST, _record(1), is_last=False, now=119)
    hosts.enter(HOST, _record(1), is_last=False, now=120)


def test_hosts_are_forgotten_beyond_a_limit() -> None:
    """Callers choose the names, so their number must not grow forever; those in use stay."""
    hosts = _hosts(concurrency=1)
    hosts.enter("first", _record(0), is_last=False, now=0)
    for number in range(HOSTS_LIMIT + 5):
        hosts.enter(f"host-{number}", _record(number), is_last=False, now=0)
        hosts.leave(f"host-{number}", _record(number), succeeded=True, now=0)
    with pytest.raises(FollowsAnother):
        hosts.enter("first", _record(1), is_last=False, now=0)
