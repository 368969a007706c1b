"""The thread that polls."""

import threading
from collections.abc import Iterator

from consumers.runtime.monitoring.poller import Poller
from tests.support.waiting import eventually


def test_a_poll_is_repeated_after_the_seconds_that_it_yields() -> None:
    """Without a wake, and until it is stopped."""
    polls: list[int] = []

    def poll() -> Iterator[float]:
        while True:
            polls.append(1)
            yield 0.001

    poller = Poller("test", poll)
    poller.start()
    eventually(lambda: len(polls) > 3, timeout_seconds=30)
    poller.stop()
    poller._thread.join(30)
    assert not poller._thread.is_alive()


def test_a_wake_ends_a_wait_without_a_limit() -> None:
    """Also one that comes during a poll: the next poll follows at once."""
    polls: list[int] = []
    go_on = threading.Event()

    def poll() -> Iterator[None]:
        while True:
            polls.append(1)
            if len(polls) == 2:
                go_on.wait(30)
            yield None

    poller = Poller("test", poll)
    poller.start()
    try:
        eventually(lambda: len(polls) == 1, timeout_seconds=30)
        poller.wake()
        eventually(lambda: len(polls) == 2, timeout_seconds=30)
        poller.wake()
        go_on.set()
        eventually(lambda: len(polls) == 3, timeout_seconds=30)
    finally:
        go_on.set()
        poller.stop()


def test_what_a_poller_opened_is_released_when_its_thread_ends() -> None:
    """A client does not outlive the thread that polls with it."""
    released = threading.Event()

    def poll() -> Iterator[None]:
        try:
            while True:
                yield None
        finally:
            released.set()

    poller = Poller("test", poll)
    poller.start()
    poller.stop()
    assert released.wait(30)
