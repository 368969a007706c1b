"""Rate, concurrency and bytes of a key, by hand-set clocks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from starlette.types import Message, Receive

from producers.api_keys.key import ApiKey
from producers.api_keys.usage import Usage
from producers.gateway.access.limits import Limits
from producers.gateway.access.usage_book import IDLE_SECONDS, QUIET_SECONDS, UsageBook
from producers.gateway.failures import RequestRefused
from schemas.errors import DependencyDown
from tests.support.clock import HandClock
from tests.unit.producers.access.keys import key_of, on_a_loop

DAY_SECONDS = 86_400


def refusal(limits: Limits, key: ApiKey, *, is_stream: bool = False) -> RequestRefused:
    """Return the refusal of a request that is above a limit."""
    with pytest.raises(RequestRefused) as refused, limits.slot(key, is_stream=is_stream):
        pass
    return refused.value


def test_no_minute_has_more_requests_than_the_rate() -> None:
    """The refusal says when the next one is possible, and the headers how many are left."""
    clock, key = HandClock(), key_of(requests_per_minute=3)
    limits = Limits(clock=clock)
    for second, left in ((0, 2), (10, 1), (20, 0)):
        clock.seconds = second
        with limits.slot(key, is_stream=False) as headers:
            assert headers["RateLimit-Policy"] == '"requests";q=3;w=60'
            assert headers["RateLimit"].startswith(f'"requests";r={left};t=')
    with (
        pytest.raises(RequestRefused, match="3 requests per minute") as refused,
        limits.slot(key, is_stream=False),
    ):
        pass
    assert (refused.value.status, refused.value.reason) == (429, "rate_limited")
    assert refused.value.headers["Retry-After"] == "40"
    clock.seconds = 60
    with limits.slot(key, is_stream=False), pytest.raises(RequestRefused), limits.slot(key, is_stream=False):
        pass


def test_a_slot_is_free_again_at_every_ending() -> None:
    """After an answer, an error and a client that left; a refused request takes none and counts nothing."""
    key, limits = key_of(concurrent_requests=1, requests_per_minute=3), Limits(clock=HandClock())

    def fail() -> None:
        with limits.slot(key, is_stream=False):
            refused = refusal(limits, key)
            assert (refused.reason, refused.headers["Retry-After"]) == ("too_many_requests", "1")
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()
    with limits.slot(key, is_stream=False):
        assert limits.in_progress(key.id) == (1, 0)
    assert limits.in_progress(key.id) == (0, 0)


def test_event_streams_are_counted_beside_the_requests() -> None:
    """A stream that stays open takes the slot of no request."""
    key, limits = key_of(concurrent_requests=1, concurrent_streams=1), Limits(clock=HandClock())
    with limits.slot(key, is_stream=True):
        assert refusal(limits, key, is_stream=True).reason == "too_many_streams"
        with limits.slot(key, is_stream=False):
            assert limits.in_progress(key.id) == (1, 1)


def test_keys_do_not_share_limits_and_may_have_none() -> None:
    """One busy key refuses no other; a key without limits is never refused."""
    limits = Limits(clock=HandClock())
    one, other, free = key_of("a", requests_per_minute=1), key_of("b", requests_per_minute=1), key_of("c")
    for key in (one, other, *[free] * 1_000):
        with limits.slot(key, is_stream=False) as headers:
            assert bool(headers) is (key is not free)


class Shared:
    """Where gateways exchange usage; can be down."""

    def __init__(self) -> None:
        self.written: dict[tuple[str, date, str], Usage] = {}
        self.is_down = False

    def put(self, key_id: str, day: date, gateway: str, usage: Usage) -> None:
        """As the real one."""
        self._check()
        self.written[key_id, day, gateway] = usage

    def of_others(self, key_id: str, day: date, gateway: str) -> Usage:
        """As the real one."""
        self._check()
        others = (
            usage
            for (written_id, written_day, writer), usage in self.written.items()
            if (written_id, written_day) == (key_id, day) and writer != gateway
        )
        return Usage(body_bytes=sum(usage.body_bytes for usage in others))

    def forget_before(self, key_id: str, day: date) -> None:
        """As the real one."""
        self._check()
        for written in [each for each in self.written if each[0] == key_id and each[1] < day]:
            del self.written[written]

    def _check(self) -> None:
        if self.is_down:
            raise DependencyDown("s3", "no bucket")


def book(shared: Shared, threads: ThreadPoolExecutor, clock: HandClock, gateway: str) -> UsageBook:
    """Open the book of one gateway."""
    return UsageBook(shared, threads, clock=clock, gateway=gateway)  # type: ignore[arg-type]


def body_of(*sizes: int) -> Receive:
    """Return the ``receive`` of a body that comes in pieces of these sizes."""
    left = list(sizes)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * left.pop(0), "more_body": bool(left)}

    return receive


async def sent(usage: UsageBook, *sizes: int, limit: int | None, announced: bool = True) -> None:
    """Send a body through a book. Raises RequestRefused."""
    key = key_of() if limit is None else key_of(bytes_per_day=limit)
    await usage.ready(key)
    with usage.body(key, body_of(*sizes), announced_bytes=sum(sizes) if announced else 0) as receive:
        for _ in sizes:
            await receive()


def test_bytes_are_counted_over_gateways_and_restarts() -> None:
    """What one gateway has written counts at the other, and at the one that takes its place."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        shared, clock = Shared(), HandClock()
        one, two = book(shared, threads, clock, "one"), book(shared, threads, clock, "two")
        await sent(one, 300, 300, limit=1_000)
        await sent(two, 100, limit=1_000)
        await one.exchange()
        await two.exchange()
        await one.exchange()
        with pytest.raises(RequestRefused, match="1,000 bytes per day") as refused:
            await sent(two, 301, limit=1_000)
        assert (refused.value.status, refused.value.reason) == (429, "bytes_per_day_exceeded")
        await sent(two, 300, limit=1_000)
        await two.exchange()
        restarted = book(shared, threads, clock, "three")
        with pytest.raises(RequestRefused):
            await sent(restarted, 1, limit=1_000)

    on_a_loop(scenario)


def test_the_day_ends_at_midnight_in_utc() -> None:
    """Retry-After points there; what was counted before is written, and forgotten here."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        shared, clock = Shared(), HandClock()
        usage = book(shared, threads, clock, "one")
        clock.seconds = DAY_SECONDS - 90
        await sent(usage, 1_000, limit=1_000)
        with pytest.raises(RequestRefused) as refused:
            await sent(usage, 1, limit=1_000)
        assert refused.value.headers["Retry-After"] == "90"
        clock.seconds = DAY_SECONDS
        await sent(usage, 1_000, limit=1_000)
        await usage.exchange()
        assert [(day.isoformat(), each.body_bytes) for (_, day, _), each in shared.written.items()] == [
            ("1970-01-01", 1_000),
            ("1970-01-02", 1_000),
        ]
        assert len(usage._days) == 1
        clock.seconds = 3 * DAY_SECONDS
        await usage.exchange()
        assert [day.isoformat() for _, day, _ in shared.written] == ["1970-01-02"]
        assert not usage._days

    on_a_loop(scenario)


def test_a_body_without_a_length_is_cut_off_at_the_limit() -> None:
    """The pieces until then count, since they were received."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        usage = book(Shared(), threads, HandClock(), "one")
        with pytest.raises(RequestRefused):
            await sent(usage, 600, 600, 600, limit=1_000, announced=False)
        with pytest.raises(RequestRefused):
            await sent(usage, 1, limit=1_000)

    on_a_loop(scenario)


def test_requests_in_progress_count_what_they_announced() -> None:
    """Two that come together cannot both take the last bytes; one that ends early gives its rest back."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        usage, key = book(Shared(), threads, HandClock(), "one"), key_of(bytes_per_day=1_000)
        await usage.ready(key)
        with usage.body(key, body_of(100), announced_bytes=900) as receive:
            with pytest.raises(RequestRefused), usage.body(key, body_of(), announced_bytes=200):
                pass
            await receive()
        await sent(usage, 900, limit=1_000)

    on_a_loop(scenario)


def test_what_cannot_be_written_is_written_later() -> None:
    """An outage of the bucket forgets nothing; a key whose usage is not known waits for it."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        shared = Shared()
        usage = book(shared, threads, HandClock(), "one")
        await sent(usage, 10, limit=1_000)
        shared.is_down = True
        await sent(usage, 10, limit=1_000)
        await usage.exchange()
        assert not shared.written
        with pytest.raises(DependencyDown):
            await sent(book(shared, threads, HandClock(), "two"), 1, limit=1_000)
        await sent(book(shared, threads, HandClock(), "two"), 1, limit=None)
        await usage.write_all()
        shared.is_down = False
        await usage.exchange()
        assert [each.body_bytes for each in shared.written.values()] == [20]

    on_a_loop(scenario)


def test_small_changes_are_written_seldom_and_all_of_them_at_the_end() -> None:
    """A bucket may keep each version and announce it: one percent of the limit at a time, or after minutes."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        shared, clock = Shared(), HandClock()
        usage = book(shared, threads, clock, "one")

        async def written_after(size: int) -> int:
            await sent(usage, size, limit=1_000)
            await usage.exchange()
            (counted,) = shared.written.values()
            return counted.body_bytes

        assert [await written_after(size) for size in (1, 5, 4, 1)] == [1, 1, 1, 11]
        clock.seconds = QUIET_SECONDS
        assert await written_after(1) == 12
        assert await written_after(1) == 12
        await usage.write_all()
        assert [each.body_bytes for each in shared.written.values()] == [13]

    on_a_loop(scenario)


def test_what_others_count_is_read_while_a_key_is_in_use() -> None:
    """Not after a minute without a request; the next one waits for it."""

    async def scenario(threads: ThreadPoolExecutor) -> None:
        shared, clock = Shared(), HandClock()
        usage = book(shared, threads, clock, "one")
        await sent(usage, 1, limit=1_000)
        clock.seconds = IDLE_SECONDS
        await usage.exchange()
        shared.put("k1", clock.now().date(), "two", Usage(body_bytes=999))
        await usage.exchange()
        with pytest.raises(RequestRefused):
            await sent(usage, 1, limit=1_000)

    on_a_loop(scenario)
