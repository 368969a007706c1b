"""Which rows are served next, and in which batches: pure rules."""

import numpy as np

from models.whisper.gate import Search
from models.whisper.inference.scheduler import BULK_TURN, PASSED_OVER_LIMIT, Scheduler
from models.whisper.rows import EncoderInput, Hear, Row
from schemas.options import Lane

HEAR = Hear(Search(5))
AGAIN = Hear(Search(1))


def row(name: float, job: object, *, lane: Lane = Lane.BULK, operation: Hear = HEAR, position: float = 0.0) -> Row:
    """Return a row that is named by its duration."""
    encoder_input = EncoderInput(lambda: np.zeros((80, 1), np.float32), name)
    return Row(job=job, lane=lane, encoder_input=encoder_input, operation=operation, position=position)


def order(scheduler: Scheduler, limit: int = 1) -> list[list[float]]:
    """Batch after batch until nothing waits."""
    batches: list[list[float]] = []
    while batch := scheduler.take(limit):
        batches.append([row.encoder_input.duration_seconds for row in batch])
    return batches


def test_jobs_take_turns() -> None:
    """A recording of a hundred windows does not stand before one of a single window."""
    scheduler = Scheduler()
    for number in range(100):
        scheduler.add(row(number, "long"))
    scheduler.add(row(1_000, "short"))
    assert order(scheduler)[:3] == [[0], [1_000], [1]]


def test_interactive_rows_go_before_bulk() -> None:
    """A person waits for them."""
    scheduler = Scheduler()
    scheduler.add(row(1, "bulk"))
    scheduler.add(row(2, "person", lane=Lane.INTERACTIVE))
    assert order(scheduler) == [[2], [1]]


def test_bulk_gets_its_turn_under_interactive_load() -> None:
    """Interactive work without end does not starve the rest."""
    scheduler = Scheduler()
    scheduler.add(row(-1, "bulk"))
    for number in range(3 * BULK_TURN):
        scheduler.add(row(number, "person", lane=Lane.INTERACTIVE))
    served = [name for batch in order(scheduler) for name in batch]
    assert served.index(-1) == BULK_TURN - 1


def test_a_batch_fills_up_across_lanes_and_jobs() -> None:
    """Bulk rows ride along in a batch that an interactive row began."""
    scheduler = Scheduler()
    scheduler.add(row(1, "person", lane=Lane.INTERACTIVE))
    scheduler.add(row(2, "bulk"))
    scheduler.add(row(3, "other"))
    assert [sorted(batch) for batch in order(scheduler, 4)] == [[1, 2, 3]]


def test_contexts_of_different_length_do_not_mix() -> None:
    """Start-of-transcript must stand at one index in all rows."""
    scheduler = Scheduler()
    scheduler.add(row(1, "a", operation=Hear(Search(5), context=(1, 2))))
    scheduler.add(row(2, "b", operation=Hear(Search(5), context=(1, 2, 3))))
    scheduler.add(row(3, "c", operation=Hear(Search(5), context=(4, 5))))
    assert order(scheduler, 4) == [[1, 3], [2]]


def test_bulk_rows_that_few_others_fit_wait_for_company() -> None:
    """Windows that are searched again share a call; each alone would cost a third of a full one."""
    scheduler = Scheduler()
    for number in (1, 2):
        scheduler.add(row(number, number, operation=AGAIN))
    for number in range(10, 18):
        scheduler.add(row(number, number))
    assert order(scheduler, 8) == [[*range(10, 18)], [1, 2]]


def test_a_row_is_not_passed_over_for_ever() -> None:
    """However many others come, a window that is searched again is heard after some batches."""
    scheduler = Scheduler()
    scheduler.add(row(-1, "again", operation=AGAIN))
    batches = []
    for number in range(2 * PASSED_OVER_LIMIT):
        for job in range(4):
            scheduler.add(row(number, job))
        batches.append([each.encoder_input.duration_seconds for each in scheduler.take(4)])
    assert batches.index([-1]) == PASSED_OVER_LIMIT


def test_an_interactive_row_is_never_passed_over() -> None:
    """A person does not wait for others whose windows are searched again."""
    scheduler = Scheduler()
    for number in range(10):
        scheduler.add(row(number, number, lane=Lane.BULK if number else Lane.INTERACTIVE, operation=HEAR))
    scheduler.add(row(-1, "person", lane=Lane.INTERACTIVE, operation=AGAIN))
    assert order(scheduler, 4)[1] == [-1]


def test_kinds_of_rows_that_are_rare_wait_at_the_same_time() -> None:
    """Each of them for a few batches, however many kinds there are."""
    scheduler, kinds = Scheduler(), 6
    for number in range(kinds):
        scheduler.add(row(-1, f"rare {number}", operation=Hear(Search(5), context=(0,) * (number + 1))))
    for number in range(400):
        scheduler.add(row(1, f"common {number}"))
    served = order(scheduler, 4)
    places = [place for place, batch in enumerate(served) if batch == [-1]]
    assert places == list(range(PASSED_OVER_LIMIT, PASSED_OVER_LIMIT + kinds))


def test_rows_of_like_length_go_together() -> None:
    """A batch ends when its longest row ends, so short rows wait for short ones."""
    scheduler = Scheduler()
    for job, name in enumerate((30, 1, 29, 2, 28, 3)):
        scheduler.add(row(name, job))
    assert [sorted(batch) for batch in order(scheduler, 3)] == [[28, 29, 30], [1, 2, 3]]


def test_the_head_of_the_line_is_always_served() -> None:
    """However well the others would fit each other, the row that waited longest goes."""
    scheduler = Scheduler()
    scheduler.add(row(1, "odd"))
    for number in range(10):
        scheduler.add(row(30 + number, number))
    assert 1 in order(scheduler, 4)[0]


def test_a_recording_is_heard_in_order() -> None:
    """A window that is tried again does not queue behind the rest of its recording."""
    scheduler = Scheduler()
    scheduler.add(row(1, "job", position=60))
    scheduler.add(row(2, "job", position=90))
    scheduler.add(row(9, "job", position=30))
    scheduler.add(row(8, "job", position=60))
    assert order(scheduler) == [[9], [1], [8], [2]]


def test_cancelling_takes_out_one_job_only() -> None:
    """And gives back its rows."""
    scheduler = Scheduler()
    scheduler.add(row(1, "a"))
    scheduler.add(row(2, "b"))
    assert len(scheduler.remove("a")) == 1
    assert scheduler.queued() == 1
    assert order(scheduler) == [[2]]


def test_one_lane_alone_can_be_taken() -> None:
    """The turns of the lanes stay as they were: every eighth of the others' batches starts with bulk work."""
    scheduler = Scheduler()
    for name in (1, 2):
        scheduler.add(row(name, job="bulk"))
    scheduler.add(row(3, job="interactive", lane=Lane.INTERACTIVE))
    assert (scheduler.queued(Lane.INTERACTIVE), scheduler.queued(Lane.BULK), scheduler.queued()) == (1, 2, 3)
    assert [each.job for each in scheduler.take(4, Lane.INTERACTIVE)] == ["interactive"]
    assert not scheduler.take(4, Lane.INTERACTIVE)
    assert scheduler.queued() == 2
