"""Which connection gets a place, and which makes room for it."""

from producers.gateway.connections.limits import KEPT_CONNECTIONS, Limits
from producers.gateway.connections.places import GRACE_SECONDS, Places
from producers.gateway.connections.refusals import Refusal

LATER = 2 * GRACE_SECONDS


class Visitor:
    """A connection of a client."""

    def __init__(self, address: str = "a") -> None:
        self.address = address
        self.is_kept = False


def places(connections: int = 3, client_connections: int = 3) -> Places[Visitor]:
    """Build places for a few connections."""
    return Places(
        Limits(
            connections=connections,
            client_connections=client_connections,
            requests=2,
            streams=1,
            uploads=1,
            header_seconds=10.0,
        )
    )


def admitted(table: Places[Visitor], count: int, address: str = "a", *, now: float = 0.0) -> list[Visitor]:
    """Admit connections, each of which gets a place."""
    visitors = [Visitor(address) for _ in range(count)]
    assert all(table.admit(visitor, now=now).is_admitted for visitor in visitors)
    return visitors


def test_the_connection_that_waited_longest_makes_room() -> None:
    """A client that sends its headers at once is served, however many others send none."""
    table = places()
    first, *_ = admitted(table, 3)
    admission = table.admit(Visitor(), now=LATER)
    assert (admission.is_admitted, admission.evicted) == (True, first)
    assert len(table) == 3


def test_a_request_in_progress_is_never_closed_for_another() -> None:
    """Only connections that wait for headers make room."""
    table = places()
    first, second, _ = admitted(table, 3)
    table.serve(first)
    assert table.admit(Visitor(), now=LATER).evicted is second


def test_a_connection_that_has_just_come_is_not_closed() -> None:
    """Else a flood would close each connection before its request is read; the new one gets a kept place."""
    table = places()
    admitted(table, 3)
    newcomer = Visitor()
    admission = table.admit(newcomer, now=GRACE_SECONDS / 2)
    assert (admission.is_admitted, admission.evicted, newcomer.is_kept) == (True, None, True)


def test_no_connection_is_accepted_while_none_can_make_room() -> None:
    """The kernel keeps them until the one that waited longest can be closed."""
    table = places()
    admitted(table, 3)
    assert table.pause_seconds(now=0.1) == 0.0
    admitted(table, KEPT_CONNECTIONS, now=0.1)
    assert 0 < table.pause_seconds(now=0.1) <= GRACE_SECONDS
    assert table.pause_seconds(now=LATER) == 0.0
    assert not table.admit(Visitor(), now=0.1).is_admitted


def test_a_kept_place_is_free_again_when_its_connection_ends() -> None:
    """Health and metrics keep theirs after a flood."""
    table = places()
    everyone = [*admitted(table, 3), *admitted(table, KEPT_CONNECTIONS)]
    for visitor in everyone:
        table.remove(visitor)
        table.remove(visitor)
    assert len(table) == 0
    assert not any(visitor.is_kept for visitor in admitted(table, 3))


def test_an_address_has_a_limit_of_its_own() -> None:
    """Its own connections make room for its new ones; others keep theirs."""
    table = places(connections=5, client_connections=2)
    other, *_ = admitted(table, 1, "b")
    mine, *_ = admitted(table, 2, "a")
    admission = table.admit(Visitor("a"), now=LATER)
    assert (admission.refusal, admission.evicted) == (Refusal.CLIENT_CONNECTIONS, mine)
    assert table.admit(Visitor("b"), now=LATER).evicted is None
    assert table.overdue(now=10.0) == [other, *table.overdue(now=10.0)[1:]]


def test_beyond_all_places_a_connection_is_refused() -> None:
    """Requests in progress hold every place of the address, and those kept."""
    table = places(connections=50, client_connections=2)
    for visitor in [*admitted(table, 2), *admitted(table, KEPT_CONNECTIONS)]:
        table.serve(visitor)
    refused = table.admit(Visitor(), now=LATER)
    assert (refused.is_admitted, refused.refusal) == (False, Refusal.CLIENT_CONNECTIONS)
    assert table.admit(Visitor("b"), now=LATER).is_admitted


def test_a_client_has_so_long_for_its_headers() -> None:
    """Counted from the connection, and again from each answer; not while a request is in progress."""
    table = places()
    slow, quick, again = admitted(table, 3)
    table.serve(quick)
    table.serve(again)
    table.wait(again, now=5.0)
    assert table.overdue(now=9.9) == []
    assert table.overdue(now=10.0) == [slow]
    assert table.overdue(now=15.0) == [slow, again]
