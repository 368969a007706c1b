"""Failover decisions for one request, made without servers."""

from collections.abc import Callable

import pytest

from models.vllm.servers.failover import Failover
from models.vllm.servers.problems import AccessRefused, Overloaded, ServerFailed, ServerProblem, TooSlow

BUSY, FAILED, HUNG, REFUSED = Overloaded("busy"), ServerFailed("500"), TooSlow("hung"), AccessRefused("403")


def tried(
    names: str, problem_of: Callable[[str], ServerProblem], *, attempts: int = 2, suspects: str = ""
) -> tuple[str, str]:
    """Return the servers that a failing request tries, and those tried after a pause."""
    failover = Failover(names, attempts=attempts)
    attempts_made = paused = ""
    while (name := failover.next(lambda name: name in suspects)) is not None:
        if failover.pause_seconds(name, len(attempts_made), 0.5) is not None:
            paused += name
        attempts_made += name
        failover.on_failure(name, problem_of(name))
    return attempts_made, paused


def test_an_overloaded_preferred_server_is_tried_twice_before_the_next() -> None:
    """Its cache holds the transcript. The first attempt on the next server needs no pause."""
    assert tried("ab", lambda _: BUSY) == ("aabb", "ab")


def test_a_server_with_retry_after_is_tried_after_all_others() -> None:
    """A single server is retried after the pause that it states."""
    later = Overloaded("busy", retry_after_seconds=30.0)
    assert tried("ab", lambda _: later)[0] == "abab"
    failover = Failover("a", attempts=2)
    failover.on_failure("a", later)
    assert failover.pause_seconds("a", 1, 0.5) == 30.0


def test_a_request_fails_only_after_all_servers_were_tried() -> None:
    """The budget bounds retries, not the number of servers."""
    assert tried("abcdef", lambda _: FAILED) == ("abcdef", "")
    assert tried("abcdef", lambda _: HUNG) == ("abcdef", "")
    assert tried("abcdef", lambda _: BUSY)[0] == "aabbcdef"
    assert tried("ab", lambda _: FAILED, attempts=4) == ("abab", "ab")


def test_a_suspect_is_tried_after_trusted_servers_and_before_retries() -> None:
    """A suspect may have recovered; a server that just failed this request is less likely to succeed."""
    assert tried("abc", lambda _: FAILED, attempts=4, suspects="a") == ("bcab", "b")


def test_a_server_that_refuses_access_is_not_retried() -> None:
    """A request ends at once when all servers refuse it, not when one does."""
    assert tried("a", lambda _: REFUSED, attempts=9) == ("a", "")
    assert tried("ab", lambda name: REFUSED if name == "a" else FAILED, attempts=3) == ("abb", "b")


@pytest.mark.parametrize(
    ("attempt", "random", "seconds"),
    [(1, 0.0, 0.125), (1, 1.0, 0.25), (2, 1.0, 0.5), (4, 0.5, 1.5), (6, 1.0, 8.0), (7, 1.0, 8.0), (60, 0.0, 4.0)],
)
def test_pauses_double_within_a_limit_and_are_spread(attempt: int, random: float, seconds: float) -> None:
    """Requests that failed together are retried at different times, within eight seconds."""
    failover = Failover("a", attempts=2)
    failover.on_failure("a", FAILED)
    assert failover.pause_seconds("a", attempt, random) == seconds
