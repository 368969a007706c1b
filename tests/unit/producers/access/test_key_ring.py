"""Keys are read rarely, believed for a short time, and go on for that time when the bucket fails."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from producers.gateway.access import key_ring
from producers.gateway.access.key_ring import CACHE_SECONDS, REFRESH_SECONDS, KeyRing
from schemas.errors import DependencyDown
from tests.support.clock import HandClock
from tests.unit.producers.access.keys import Bucket, key_of, on_a_loop

KEY = key_of()


async def read(ring: KeyRing) -> None:
    """Wait until the reads in progress have ended."""
    while ring._reading:
        for reading in list(ring._reading.values()):
            await _ended(reading)


async def _ended(reading: object) -> None:
    try:
        await reading  # type: ignore[misc]
    except DependencyDown:
        return


def test_a_busy_key_is_read_once_in_five_seconds_and_waits_for_no_read() -> None:
    """Its first request waits; later ones use what is remembered while it is read again beside them."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        bucket, clock = Bucket(d=KEY), HandClock()
        ring = KeyRing(bucket.find, threads, clock=clock)
        for _ in range(100):
            assert await ring.find("d") == KEY
        assert bucket.reads == ["d"]
        clock.seconds = REFRESH_SECONDS
        for _ in range(100):
            assert await ring.find("d") == KEY
        await read(ring)
        assert bucket.reads == ["d", "d"]

    on_a_loop(scenario)


def test_a_revoked_key_is_refused_within_ten_seconds() -> None:
    """Also a key that one request uses and then none for long: it is read again before the next."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        bucket, clock = Bucket(d=KEY), HandClock()
        ring = KeyRing(bucket.find, threads, clock=clock)
        await ring.find("d")
        revoked = KEY.model_copy(update={"revoked_at": KEY.created_at})
        bucket.keys["d"] = revoked
        clock.seconds = CACHE_SECONDS
        assert await ring.find("d") == revoked

    on_a_loop(scenario)


def test_a_known_key_goes_on_for_ten_seconds_without_the_bucket() -> None:
    """Then, and for a key that is not known, the bucket is what is down: never the key that is wrong."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        bucket, clock = Bucket(d=KEY), HandClock()
        ring = KeyRing(bucket.find, threads, clock=clock)
        await ring.find("d")
        bucket.is_down = True
        clock.seconds = CACHE_SECONDS - 0.1
        assert await ring.find("d") == KEY
        await read(ring)
        assert await ring.find("d") == KEY
        await read(ring)
        clock.seconds = CACHE_SECONDS
        for digest in ("d", "other"):
            with pytest.raises(DependencyDown):
                await ring.find(digest)
        bucket.is_down = False
        assert await ring.find("d") == KEY

    on_a_loop(scenario)


def test_a_wrong_key_is_read_once_in_ten_seconds() -> None:
    """A key that is made afterwards is found after them."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        bucket, clock = Bucket(), HandClock()
        ring = KeyRing(bucket.find, threads, clock=clock)
        for _ in range(100):
            assert await ring.find("d") is None
        assert bucket.reads == ["d"]
        bucket.keys["d"] = KEY
        clock.seconds = CACHE_SECONDS
        assert await ring.find("d") == KEY

    on_a_loop(scenario)


def test_a_flood_of_wrong_keys_takes_bounded_memory_and_no_known_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest wrong ones are forgotten; the known key needs no further read."""
    monkeypatch.setattr(key_ring, "UNKNOWN_LIMIT", 10)

    async def scenario(threads: ThreadPoolExecutor) -> None:
        bucket = Bucket(d=KEY)
        ring = KeyRing(bucket.find, threads, clock=HandClock())
        await ring.find("d")
        for number in range(50):
            await ring.find(f"wrong {number}")
        assert (len(ring._unknown), len(ring._known)) == (10, 1)
        assert await ring.find("d") == KEY
        assert bucket.reads.count("d") == 1
        assert ring.needs_no_read("wrong 49")
        assert not ring.needs_no_read("wrong 0")

    on_a_loop(scenario)
