"""The journal of running records: who is suspected, who is cleared, who is set aside."""

import itertools

import pytest

from consumers.runtime.offsets.journal import (
    JOURNAL_CHARACTERS_LIMIT,
    SEPARATOR,
    Caution,
    Journal,
    without_journal,
)

_processes = itertools.count()


def _journal(
    predecessor: str, *, holder: str | None = None, offset: int = 100, limit: int = 4, wary_records: int = 4
) -> Journal:
    """A journal of a new process, unless it is named."""
    name = holder or f"p{next(_processes):03}"
    return Journal(predecessor, holder=name, offset=offset, wary_records=wary_records, crash_limit=limit)


def _died(journal: Journal, *, offset: int = 100, limit: int = 4) -> Journal:
    """The journal of the successor of a process that died now."""
    return _journal(journal.text(offset), offset=offset, limit=limit)


def test_a_first_holder_suspects_nobody_and_names_nobody() -> None:
    """After one commit that says "held", records run without any more durable notes."""
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
    """Taking over from a dead process, each start waits for a commit that holds it."""
    journal = _died(_journal(""))
    assert journal.predecessor_crashed
    journal.start(100)
    journal.on_submitted()
    journal.start(101)
    journal.on_confirmed()
    assert not journal.is_durable
    journal.on_submitted()
    journal.on_confirmed()
    assert journal.is_durable


def test_a_killer_is_set_aside_at_the_limit_and_an_innocent_neighbour_never() -> None:
    """Both run together once, then alone: only the one that dies alone reaches the limit."""
    first = _died(_journal(""))
    assert first.caution(100) is Caution.TOGETHER
    first.start(100)
    first.start(101)
    second = _died(first)
    assert (second.caution(100), second.caution(101)) == (Caution.ALONE, Caution.ALONE)
    second.start(100, alone=True)
    second.complete(100)
    second.start(101, alone=True)
    third = _died(second)
    assert third.caution(101) is Caution.ALONE_AFTER_REST
    third.start(101, alone=True)
    fourth = _died(third)
    assert fourth.caution(101) is Caution.SET_ASIDE
    assert (fourth.crash_count(101), fourth.crashes_alone(101)) == (4, 2)
    assert fourth.crash_count(100) == 1


def test_a_record_that_was_not_running_at_the_death_is_not_blamed() -> None:
    """An attempt that ended, or waits, is named without counting."""
    wary = _died(_journal(""))
    wary.start(100)
    wary.start(101)
    wary.stop(100)
    successor = _died(wary)
    assert (successor.crash_count(100), successor.crash_count(101)) == (1, 2)


def test_wariness_ends_after_as_many_records_as_can_have_been_in_flight() -> None:
    """One death long ago must not slow the partition down for ever."""
    journal = _died(_journal(""))
    for offset in range(100, 104):
        journal.start(offset)
        journal.complete(offset)
    assert journal.crash_count(104) == 0
    assert journal.text(104).startswith("o")


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_smallest_limit_still_wants_two_ends_alone(limit: int) -> None:
    """The first end names no record, and the second may have another cause."""
    journal = _journal("odead", limit=limit)
    assert journal.caution(100) is Caution.ALONE
    journal.start(100, alone=True)
    second = _died(journal, limit=limit)
    assert second.caution(100) is Caution.ALONE_AFTER_REST
    second.start(100, alone=True)
    assert _died(second, limit=limit).caution(100) is Caution.SET_ASIDE


@pytest.mark.parametrize("limit", [5, 9])
def test_a_higher_limit_wants_more_ends_alone(limit: int) -> None:
    """Ends beside other records prove nothing, so those are never more than two."""
    journal = _died(_journal("", limit=limit), limit=limit)
    ends = 1
    while journal.caution(100) is not Caution.SET_ASIDE:
        alone = journal.caution(100) is not Caution.TOGETHER
        journal.start(100, alone=alone)
        journal = _died(journal, limit=limit)
        ends += 1
    assert (ends, journal.crashes_alone(100)) == (limit, limit - 2)


def test_ends_beside_other_records_never_set_a_record_aside() -> None:
    """However many: what ran beside it may have been the cause each time."""
    journal = _died(_journal(""))
    for _ in range(20):
        journal.start(100)
        journal = _died(journal)
        assert journal.caution(100) is not Caution.SET_ASIDE


def test_a_holder_that_lives_has_not_ended() -> None:
    """It was suspended or cut off: what it ran is not suspected, and what it suspected stays as it was."""
    suspended = _died(_journal(""))
    suspended.start(100, alone=True)
    text = suspended.text(100)
    successor = Journal(text, holder="self", offset=100, wary_records=4, crash_limit=4, is_alive=lambda _: True)
    assert not successor.predecessor_crashed
    assert (successor.crash_count(100), successor.crashes_alone(100), successor.crash_count(101)) == (1, 0, 0)


def test_a_record_that_rests_keeps_what_is_known_of_it() -> None:
    """A process that ends while the record rests adds nothing, however many other records it had to name."""
    journal = _journal("wdead9!3.1", wary_records=64)
    assert (journal.crash_count(109), journal.crashes_alone(109)) == (4, 2)
    for number in range(8):
        journal.start(200 + number * 10**9)
    successor = _died(journal)
    assert (successor.crash_count(109), successor.crashes_alone(109)) == (4, 2)


def test_who_gets_a_lost_partition_back_blames_nobody() -> None:
    """A group that misses heartbeats takes a partition from a living process: its own name tells it so."""
    journal = _journal("odead", holder="self")
    journal.start(100)
    again = _journal(journal.text(100), holder="self")
    assert not again.predecessor_crashed
    assert (again.crash_count(100), again.crash_count(101)) == (1, 0)


def test_letting_go_between_two_deaths_forgets_none_of_them() -> None:
    """A rolling restart or a rebalance must not give a killer a new life; its neighbours are not suspected."""
    wary = _journal("wdead0+1")
    assert wary.crash_count(100) == 2
    left = _journal(wary.final_text(100))
    assert not left.predecessor_crashed
    assert (left.crash_count(100), left.caution(100)) == (2, Caution.ALONE)
    assert (left.crash_count(101), left.caution(101)) == (0, Caution.TOGETHER)
    left.start(100, alone=True)
    assert not left.is_durable
    again = _journal(_died(left).final_text(100))
    assert (again.crash_count(100), again.crashes_alone(100)) == (3, 1)


def test_a_record_that_runs_while_its_partition_is_let_go_has_killed_nobody() -> None:
    """The drain's time was up, and the process lives."""
    wary = _journal("odead")
    wary.start(100)
    assert _journal(wary.final_text(100)).crash_count(100) == 1


def test_who_suspects_nobody_leaves_an_empty_journal() -> None:
    """Also when those that it suspected are complete."""
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


def test_the_journal_stands_behind_the_gap_map() -> None:
    """Both are read back from one string, either of them may be missing."""
    for gap_map, journal in (("", "odead"), ("kascribe1bXYZ", "wdead1+1"), ("kascribe1bXYZ", ""), ("", "")):
        metadata = f"{gap_map}{SEPARATOR}{journal}" if journal else gap_map
        assert without_journal(metadata) == gap_map
        read = Journal.from_metadata(metadata, holder="self", offset=100, wary_records=4, crash_limit=3)
        assert read.predecessor_crashed == bool(journal)
