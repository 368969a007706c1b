"""One request's way through several servers, decided without any."""

from collections.abc import Callable

import pytest

from models.vllm.servers.failover import Failover
from models.vllm.servers.problems import AccessRefused, Overloaded, ServerFailed, ServerProblem, TooSlow

BUSY, FAILED, HUNG, REFUSED = Overloaded("busy"), ServerFailed("500"), TooSlow("hung"), AccessRefused("403")


def way(
    names: str, problem_of: Callable[[str], ServerProblem], *, attempts: int = 2, suspects: str = ""
) -> tuple[str, str]:
    """Whom a request asks that nobody answers, and whom after a pause."""
    failover = Failover(names, attempts=attempts)
    asked = paused = ""
    while (name := failover.next(lambda name: name in suspects)) is not None:
        if failover.pause_seconds(name, len(asked), 0.5) is not None:
            paused += name
        asked += name
        failover.on_failure(name, problem_of(name))
    return asked, paused


def test_a_busy_favourite_is_asked_twice_before_its_neighbour() -> None:
    """Its cache holds the transcript. A neighbour is asked without a pause the first time."""
    assert way("ab", lambda _: BUSY) == ("aabb", "ab")


def test_a_server_that_says_how_long_it_will_be_busy_is_left_alone() -> None:
    """Whoever else there is comes first; alone, the pause is the one asked for."""
    later = Overloaded("busy", retry_after_seconds=30.0)
    assert way("ab", lambda _: later)[0] == "abab"
    failover = Failover("a", attempts=2)
    failover.on_failure("a", later)
    assert failover.pause_seconds("a", 1, 0.5) == 30.0


def test_nobody_gives_up_before_everybody_was_asked() -> None:
    """The budget bounds what is asked again, not how many servers there are."""
    assert way("abcdef", lambda _: FAILED) == ("abcdef", "")
    assert way("abcdef", lambda _: HUNG) == ("abcdef", "")
    assert way("abcdef", lambda _: BUSY)[0] == "aabbcdef"
    assert way("ab", lambda _: FAILED, attempts=4) == ("abab", "ab")


def test_who_is_suspect_is_asked_after_the_trusted_and_before_anybody_again() -> None:
    """A suspect may be well again; who has just failed this request is less likely to."""
    assert way("abc", lambda _: FAILED, attempts=4, suspects="a") == ("bcab", "b")


def test_who_refuses_is_not_asked_again() -> None:
    """All refusals end the request at once, one of them ends nothing."""
    assert way("a", lambda _: REFUSED, attempts=9) == ("a", "")
    assert way("ab", lambda name: REFUSED if name == "a" else FAILED, attempts=3) == ("abb", "b")


@pytest.mark.parametrize(
    ("attempt", "random", "seconds"),
    [(1, 0.0, 0.125), (1, 1.0, 0.25), (2, 1.0, 0.5), (4, 0.5, 1.5), (6, 1.0, 8.0), (7, 1.0, 8.0), (60, 0.0, 4.0)],
)
def test_pauses_double_within_a_limit_and_are_spread(attempt: int, random: float, seconds: float) -> None:
    """Requests that failed together do not come back together, nor later than eight seconds."""
    failover = Failover("a", attempts=2)
    failover.on_failure("a", FAILED)
    assert failover.pause_seconds("a", attempt, random) == seconds
