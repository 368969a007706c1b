"""How other threads pass their results to the loop."""

from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.partition import Flight
from tests.support.clock import HandClock
from tests.unit.runtime.runtime_bench import RuntimeBench, runtime_bench


def flights(bench: RuntimeBench, count: int) -> list[Flight]:
    """Return records that were handed over."""
    bench.arrive(*range(count))
    return bench.turn()


def test_flights_come_back_in_order_and_commands_run_between_them() -> None:
    """All that is there at once, each once."""
    with runtime_bench((0, "")) as bench:
        first, second = flights(bench, 2)
        mailbox, ran = Mailbox(bench.clock), list[str]()
        mailbox.put_flight(first)
        mailbox.put_command(lambda: ran.append("one"))
        mailbox.put_flight(second)
        mailbox.put_command(lambda: ran.append("two"))
        assert mailbox.listen(0) == [first, second]
        assert ran == ["one", "two"]
        assert mailbox.listen(0) == []
        assert ran == ["one", "two"]


def test_what_comes_while_commands_run_waits_for_the_next_turn() -> None:
    """A busy stage cannot keep the loop from polling."""
    mailbox, ran = Mailbox(HandClock()), list[int]()

    def again() -> None:
        ran.append(len(ran))
        mailbox.put_command(again)

    mailbox.put_command(again)
    mailbox.listen(0)
    assert ran == [0]
    mailbox.listen(0)
    assert ran == [0, 1]


def test_listening_without_patience_returns_at_once_and_with_patience_waits_for_mail() -> None:
    """An empty box costs its patience and no more; mail ends the wait, and nothing more is waited for."""
    mailbox, ran = Mailbox(HandClock()), list[int]()
    assert mailbox.listen(0) == []
    assert mailbox.listen(0.01) == []
    mailbox.put_command(lambda: ran.append(1))
    mailbox.put_command(lambda: ran.append(2))
    assert mailbox.listen(60) == []
    assert ran == [1, 2]


def test_the_last_listening_and_the_last_sign_of_work_are_distinct() -> None:
    """An idle loop listens and receives nothing; a report is a sign of work without mail."""
    clock = HandClock()
    clock.seconds = 5.0
    mailbox = Mailbox(clock)
    assert (mailbox.listened_at, mailbox.active_at) == (5.0, 5.0)
    clock.seconds = 6.0
    mailbox.listen(0)
    assert (mailbox.listened_at, mailbox.active_at) == (6.0, 5.0)
    clock.seconds = 7.0
    mailbox.note_activity()
    assert (mailbox.listened_at, mailbox.active_at) == (6.0, 7.0)
    clock.seconds = 8.0
    mailbox.put_command(lambda: None)
    mailbox.listen(0)
    assert (mailbox.listened_at, mailbox.active_at) == (8.0, 8.0)
