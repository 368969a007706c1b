"""Sessions of browsers: a key as a cookie, on keys in a real bucket."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from producers.gateway.access.key_ring import CACHE_SECONDS
from tests.contract.access.access_bench import AccessBench, Replica, Scenario, play, reason_in
from tests.support.object_store import ObjectStore

Run = Callable[[Scenario], None]
SAME = {"Sec-Fetch-Site": "same-origin"}
SESSION = "/v1/session"


@pytest.fixture
def run(moto_store: ObjectStore) -> Run:
    """Return a runner of scenarios, each with a bucket of its own."""

    def run_one(scenario: Scenario) -> None:
        asyncio.run(play(moto_store.settings(), moto_store, scenario))

    return run_one


async def sign_in(gateway: Replica, secret: str) -> None:
    """Begin a session; the client keeps its cookie, as a browser does."""
    answer = await gateway.ask(secret, path=SESSION, headers=SAME)
    assert (answer.status_code, answer.content) == (204, b"")
    assert gateway.client.cookies["kascribe_session"] == secret


def test_a_key_is_changed_for_a_cookie_that_authenticates_the_page(run: Run) -> None:
    """The session has the tenant of the key; it is told what it may do."""

    async def scenario(bench: AccessBench) -> None:
        gateway, secret = await bench.replica(), bench.issue(tenant="acme")
        await sign_in(gateway, secret)
        assert (await gateway.ask(headers=SAME)).json() == {"tenant": "acme", "bytes": 0}
        session = (await gateway.ask(method="GET", path=SESSION, headers=SAME)).json()
        assert (session["tenant"], session["rights"], session["is_signed_in"]) == ("acme", ["read"], True)
        by_header = (await gateway.ask(secret, method="GET", path=SESSION)).json()
        assert by_header["is_signed_in"] is False

    run(scenario)


def test_pages_of_other_sites_cannot_use_the_cookie(run: Run) -> None:
    """Refused whatever the method; also for an origin that may send requests with a key of its own."""

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica(allowed_origins=["https://app.example"])
        await sign_in(gateway, bench.issue())
        for site in ("cross-site", "same-site"):
            refused = await gateway.ask(headers={"Sec-Fetch-Site": site})
            assert (refused.status_code, reason_in(refused)) == (403, "origin_not_allowed")
        allowed = {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}
        refused = await gateway.ask(headers=allowed)
        assert (refused.status_code, reason_in(refused)) == (401, "key_missing")
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        refused = await gateway.ask(method="GET", path=SESSION, headers=followed)
        assert (refused.status_code, reason_in(refused)) == (401, "key_missing")
        refused = await gateway.ask()  # no word of a browser
        assert (refused.status_code, reason_in(refused)) == (401, "key_missing")

    run(scenario)


def test_a_session_ends_with_its_key(run: Run) -> None:
    """By revocation, as soon as a gateway reads the key again, and by expiry, at once."""

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica()
        await sign_in(gateway, bench.issue("k1"))
        bench.keys.revoke("k1", now=bench.clock.now())
        bench.clock.seconds += CACHE_SECONDS
        refused = await gateway.ask(headers=SAME)
        assert (refused.status_code, reason_in(refused)) == (401, "key_revoked")
        await sign_in(gateway, bench.issue("k2", expires_at=bench.clock.now() + timedelta(seconds=3)))
        assert (await gateway.ask(headers=SAME)).status_code == 200
        bench.clock.seconds += 3
        refused = await gateway.ask(headers=SAME)
        assert (refused.status_code, reason_in(refused)) == (401, "key_expired")

    run(scenario)


def test_signing_out_needs_no_key_and_forgets_the_cookie(run: Run) -> None:
    """Also the one of a key that was revoked."""

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica()
        await sign_in(gateway, bench.issue("k1"))
        bench.keys.revoke("k1", now=bench.clock.now())
        bench.clock.seconds += CACHE_SECONDS
        ended = await gateway.ask(method="DELETE", path=SESSION, headers=SAME)
        assert ended.status_code == 204
        assert "kascribe_session" not in gateway.client.cookies
        refused = await gateway.ask(headers=SAME)
        assert (refused.status_code, reason_in(refused)) == (401, "key_missing")

    run(scenario)


def test_only_a_key_in_a_header_begins_a_session(run: Run) -> None:
    """A wrong one is refused, and a cookie renews nothing."""

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica()
        refused = await gateway.ask("kas_wrong", path=SESSION, headers=SAME)
        assert (refused.status_code, reason_in(refused)) == (401, "key_invalid")
        assert "set-cookie" not in refused.headers
        await sign_in(gateway, bench.issue())
        refused = await gateway.ask(path=SESSION, headers=SAME)
        assert (refused.status_code, reason_in(refused)) == (401, "key_missing")

    run(scenario)
