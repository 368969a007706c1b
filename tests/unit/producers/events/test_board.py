"""The board of jobs."""

from producers.gateway.events.board import Board, Entry
from producers.gateway.events.cursors import Position
from producers.gateway.events.progress import add_event
from schemas.events import Phase
from tests.unit.producers.events.job_events import JOB, at, event


def job(number: int) -> str:
    """Return a job's id."""
    return f"{number:032x}"


def test_the_most_silent_job_makes_room() -> None:
    """So many jobs are held, and the one that was silent for longest goes first."""
    board = Board(jobs_limit=2)
    for second, number in enumerate((1, 2, 1, 3)):
        board.add(Position(0, second), event(Phase.FETCHING, second, job_id=job(number)))
    assert [board.find(job(number)) is not None for number in (1, 2, 3)] == [True, False, True]
    assert len(board) == 2


def test_text_is_bounded_over_all_jobs() -> None:
    """Characters count, not only jobs; the newest job stays whatever its length."""
    board = Board(text_limit_characters=10)
    for number in range(5):
        board.add(Position(0, number), event(Phase.TRANSCRIBING, number, job_id=job(number), text="x" * 4))
        assert board.text_characters <= 10
    assert len(board) == 2
    board.add(Position(0, 9), event(Phase.TRANSCRIBING, 9, job_id=job(9), text="x" * 40))
    assert len(board) == 1
    board.add(Position(0, 10), event(Phase.RETRYING, 10, job_id=job(9)))
    assert board.text_characters == 0


def test_a_job_that_began_before_the_board_is_not_covered() -> None:
    """Its history is read from the topic; the same holds for a job that was forgotten."""
    board = Board(jobs_limit=1)
    assert not board.covers(at(0))
    board.begin(at(0))
    assert board.covers(at(20))
    assert not board.covers(at(5))  # clocks differ
    board.add(Position(0, 0), event(Phase.FETCHING, 30, job_id=job(1)))
    board.add(Position(0, 1), event(Phase.FETCHING, 31, job_id=job(2)))
    assert not board.covers(at(30))
    assert board.covers(at(60))


def test_what_the_topic_had_comes_before_what_the_board_has() -> None:
    """Text, first place and last place are those of both."""
    board = Board()
    board.add(Position(3, 7), event(Phase.TRANSCRIBING, 2, text="two"))
    progress = add_event(None, event(Phase.ACCEPTED, 0))
    progress = add_event(progress, event(Phase.TRANSCRIBING, 1, text="one"))
    board.complete(JOB, Entry(progress, Position(3, 4), Position(3, 5)))
    entry = board.find(JOB)
    assert entry is not None
    assert (entry.progress.text, entry.first, entry.last) == ("one two", Position(3, 4), Position(3, 7))
    assert entry.progress.is_whole


def test_a_search_in_vain_is_not_repeated_until_the_job_has_an_event() -> None:
    """Then the board has all of it."""
    board = Board()
    board.complete(JOB, None)
    assert board.is_absent(JOB)
    board.add(Position(0, 0), event(Phase.TRANSCRIBING, 1, text="one"))
    entry = board.find(JOB)
    assert entry is not None
    assert entry.progress.is_whole
    assert not board.is_absent(JOB)


def test_searches_in_vain_are_bounded() -> None:
    """A client that guesses ids fills no memory."""
    board = Board(jobs_limit=3)
    for number in range(9):
        board.complete(job(number), None)
    assert [board.is_absent(job(number)) for number in (5, 6, 8)] == [False, True, True]
