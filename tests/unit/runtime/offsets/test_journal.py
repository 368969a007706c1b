"""The journal of running records: which are suspected, which are cleared, which are set aside."""

import itertools

import pytest

from consumers.runtime.offsets.journal import (
    JOURNAL_CHARACTERS_LIMIT,
    Caution,
    Journal,
)

_processes = itertools.count()


def _journal(
    predecessor: str, *, holder: str | None = None, offset: int = 100, limit: int = 4, wary_records: int = 4
) -> Journal:
    """Make the journal of a new process, or of the process named."""
    name = holder or f"p{next(_processes):03}"
    return Journal(predecessor, holder=name, offset=offset, wary_records=wary_records, crash_limit=limit)


def _crashed(journal: Journal, *, offset: int = 100, limit: int = 4) -> Journal:
    """Return the successor's journal if the process crashes now."""
    return _journal(journal.text(offset), offset=offset, limit=limit)


def test_a_first_holder_suspects_and_names_no_record() -> None:
    """After one commit that says "held", records run without further commits of the journal."""
    journal = _journal("", holder="abcd")
    journal.start(100)
    assert not journal.predecessor_crashed
    assert journal.needs_commit
    journal.on_submitted()
    journal.on_confirmed()
    journal.start(101)
    assert journal.is_durable
    assert journal.text(100) == "oabcd"


def test_a_record_runs_only_after_its_name_is_durable_while_the_journal_is_wary() -> None:
    """After taking over from a crashed process, each start waits for a commit that contains it."""
    journal = _crashed(_journal(""))
    assert journal.predecessor_crashed
    journal.start(100)
    journal.on_submitted()
    journal.start(101)
    journal.on_confirmed()
    assert not journal.is_durable
    journal.on_submitted()
    journal.on_confirmed()
    assert journal.is_durable


def test_a_record_that_crashes_is_set_aside_at_the_limit_and_its_neighbour_never() -> None:
    """Both run together once, then alone: only the one that crashes alone reaches the limit."""
    first = _crashed(_journal(""))
    assert first.caution(100) is Caution.TOGETHER
    first.start(100)
    first.start(101)
    second = _crashed(first)
    assert (second.caution(100), second.caution(101)) == (Caution.ALONE, Caution.ALONE)
    second.start(100, alone=True)
    second.complete(100)
    second.start(101, alone=True)
    third = _crashed(second)
    assert third.caution(101) is Caution.ALONE_AFTER_REST
    third.start(101, alone=True)
    fourth = _crashed(third)
    assert fourth.caution(101) is Caution.SET_ASIDE
    assert (fourth.crash_count(101), fourth.crashes_alone(101)) == (4, 2)
    assert fourth.crash_count(100) == 1


def test_a_record_that_was_not_running_at_the_crash_is_not_counted() -> None:
    """An attempt that ended, or waits, is named without counting."""
    wary = _crashed(_journal(""))
    wary.start(100)
    wary.start(101)
    wary.stop(100)
    successor = _crashed(wary)
    assert (successor.crash_count(100), successor.crash_count(101)) == (1, 2)


def test_wariness_ends_after_as_many_records_as_can_have_been_in_flight() -> None:
    """One crash long ago must not slow the partition down forever."""
    journal = _crashed(_journal(""))
    for offset in range(100, 104):
        journal.start(offset)
        journal.complete(offset)
    assert journal.crash_count(104) == 0
    assert journal.text(104).startswith("o")


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_smallest_limit_still_requires_two_crashes_alone(limit: int) -> None:
    """The first crash names no record, and the second may have another cause."""
    journal = _journal("odead", limit=limit)
    assert journal.caution(100) is Caution.ALONE
    journal.start(100, alone=True)
    second = _crashed(journal, limit=limit)
    assert second.caution(100) is Caution.ALONE_AFTER_REST
    second.start(100, alone=True)
    assert _crashed(second, limit=limit).caution(100) is Caution.SET_ASIDE


@pytest.mark.parametrize("limit", [5, 9])
def test_a_higher_limit_requires_more_crashes_alone(limit: int) -> None:
    """Crashes beside other records prove nothing, so at most two of them count."""
    journal = _crashed(_journal("", limit=limit), limit=limit)
    crashes = 1
    while journal.caution(100) is not Caution.SET_ASIDE:
        alone = journal.caution(100) is not Caution.TOGETHER
        journal.start(100, alone=alone)
        journal = _crashed(journal, limit=limit)
        crashes += 1
    assert (crashes, journal.crashes_alone(100)) == (limit, limit - 2)


def test_crashes_beside_other_records_never_set_a_record_aside() -> None:
    """However many: each time a neighbour may have been the cause."""
    journal = _crashed(_journal(""))
    for _ in range(20):
        journal.start(100)
        journal = _crashed(journal)
        assert journal.caution(100) is not Caution.SET_ASIDE


def test_a_holder_that_is_alive_has_not_crashed() -> None:
    """It was suspended or cut off: its records are not suspected, and its suspects keep their counts."""
    suspended = _crashed(_journal(""))
    suspended.start(100, alone=True)
    text = suspended.text(100)
    successor = Journal(text, holder="self", offset=100, wary_records=4, crash_limit=4, is_alive=lambda _: True)
    assert not successor.predecessor_crashed
    assert (successor.crash_count(100), successor.crashes_alone(100), successor.crash_count(101)) == (1, 0, 0)


def test_a_record_that_rests_keeps_its_counts() -> None:
    """A crash while the record rests adds nothing, however many other records the journal had to name."""
    journal = _journal("wdead9!3.1", wary_records=64)
    assert (journal.crash_count(109), journal.crashes_alone(109)) == (4, 2)
    for number in range(8):
        journal.start(200 + number * 10**9)
    successor = _crashed(journal)
    assert (successor.crash_count(109), successor.crashes_alone(109)) == (4, 2)


def test_a_process_that_gets_a_lost_partition_back_counts_no_crash() -> None:
    """The group may take a partition from a process that is alive: it recognizes its own name."""
    journal = _journal("odead", holder="self")
    journal.start(100)
    again = _journal(journal.text(100), holder="self")
    assert not again.predecessor_crashed
    assert (again.crash_count(100), again.crash_count(101)) == (1, 0)


def test_a_release_between_two_crashes_forgets_neither() -> None:
    """A rolling restart or a rebalance must not reset a suspect's counts; its neighbours are not suspected."""
    wary = _journal("wdead0+1")
    assert wary.crash_count(100) == 2
    left = _journal(wary.final_text(100))
    assert not left.predecessor_crashed
    assert (left.crash_count(100), left.caution(100)) == (2, Caution.ALONE)
    assert (left.crash_count(101), left.caution(101)) == (0, Caution.TOGETHER)
    left.start(100, alone=True)
    assert not left.is_durable
    again = _journal(_crashed(left).final_text(100))
    assert (again.crash_count(100), again.crashes_alone(100)) == (3, 1)


def test_a_record_that_runs_while_its_partition_is_released_counts_no_crash() -> None:
    """The drain ran out of time, but the process is alive."""
    wary = _journal("odead")
    wary.start(100)
    assert _journal(wary.final_text(100)).crash_count(100) == 1


def test_a_process_without_suspects_leaves_an_empty_journal() -> None:
    """Also if it had suspects that are complete now."""
    wary = _journal("odead")
    wary.start(100)
    wary.complete(100)
    assert (wary.final_text(101), _journal("").final_text(100)) == ("", "")


def test_names_fit_beside_a_full_gap_map() -> None:
    """However far apart the records are, the journal stays within what the broker has left."""
    journal = _journal("odead", wary_records=64)
    started = 0
    while journal.has_room() and started < 64:
        journal.start(100 + started * 10**9)
        started += 1
    assert started == 8
    assert len(journal.text(100)) <= JOURNAL_CHARACTERS_LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "w",
        "c",
        "cdead,1-",
        "wdead,,",
        "wdead1",
        "wdead1+",
        "wdead+1",
        "wdeadé+1",
        "wdead1+x,2-1",
        "zzz",
        "wdead-",
        "wdead1!2.x",
    ],
)
def test_a_damaged_journal_raises_nothing(text: str) -> None:
    """What cannot be read counts as unnamed."""
    assert _journal(text).crash_count(102) in (0, 1)
