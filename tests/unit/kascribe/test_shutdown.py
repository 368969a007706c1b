"""Signals: what the first and the second one do, and that neither takes longer than its limit."""

import signal
from collections.abc import Iterator

import pytest

from kascribe.process.shutdown import SIGNALS, Shutdown, ended_by_signals
from tests.support.waiting import eventually

LONG_SECONDS = 3_600.0


@pytest.fixture
def ends() -> list[int]:
    """Collect the exit codes with which the process would have ended."""
    return []


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore the signal handlers afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_each_signal_is_passed_on_to_what_runs(ends: list[int]) -> None:
    """Also those that came while nothing ran: between two runtimes, for one."""
    shutdown = Shutdown(limit_seconds=LONG_SECONDS, end=ends.append)
    stops: list[str] = []
    shutdown.pass_to(lambda: stops.append("first"))
    shutdown.handle(signal.SIGTERM)
    assert stops == ["first"]
    shutdown.pass_to(lambda: stops.append("second"))
    assert stops == ["first", "second"]
    assert shutdown.wait(LONG_SECONDS)
    shutdown.close()
    assert not ends


def test_a_process_that_has_not_begun_ends_at_once_and_in_order() -> None:
    """As by an interrupt: what was opened is closed. The code is the one that shells know for the signal."""
    shutdown = Shutdown(limit_seconds=LONG_SECONDS, end=lambda _: None)
    with pytest.raises(SystemExit) as ended:
        shutdown.handle(signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
    shutdown.handle(signal.SIGTERM)  # the second one interrupts no closing
    shutdown.close()


def test_the_limit_ends_what_still_waits(ends: list[int]) -> None:
    """Nothing is lost: what was not committed is done again."""
    shutdown = Shutdown(limit_seconds=0.05, end=ends.append)
    shutdown.pass_to(lambda: None)
    shutdown.handle(signal.SIGTERM)
    eventually(lambda: ends, timeout_seconds=30, what="the end")
    assert ends == [0]


def test_the_second_signal_brings_the_end_near(ends: list[int]) -> None:
    """Whatever the limit was."""
    shutdown = Shutdown(limit_seconds=LONG_SECONDS, end=ends.append)
    shutdown.pass_to(lambda: None)
    shutdown.handle(signal.SIGTERM)
    assert shutdown.seconds_left(10.0) == 10.0
    shutdown.handle(signal.SIGINT)
    assert shutdown.seconds_left(10.0) <= 0.5
    eventually(lambda: ends, timeout_seconds=30, what="the end")


@pytest.mark.usefixtures("handlers")
def test_a_hang_up_counts_like_a_termination() -> None:
    """A terminal that is closed drains what it ran."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    stops: list[None] = []
    with ended_by_signals(limit_seconds=LONG_SECONDS) as shutdown:
        shutdown.pass_to(lambda: stops.append(None))
        signal.raise_signal(signal.SIGHUP)
        assert len(stops) == shutdown.signals == 1
        assert shutdown.seconds_left(LONG_SECONDS) > 0
        shutdown.close()


@pytest.mark.usefixtures("handlers")
def test_a_hang_up_that_is_ignored_stays_so() -> None:
    """That is what nohup is for."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals(limit_seconds=LONG_SECONDS) as shutdown:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == shutdown.handle
        shutdown.close()
