"""What is told of jobs where nothing can be drawn over: a log, a pipe."""

import io

from rich.console import Console

from kascribe.board import Board
from schemas.events import Phase, ProgressEvent
from tests.kept import NOW, event_of


def told(*events: object, width: int = 80) -> list[str]:
    """The lines that are printed for events of one job."""
    written = io.StringIO()
    board = Board(Console(file=written, width=width))
    for event in events:
        board.show(event)  # type: ignore[arg-type]
    return written.getvalue().splitlines()


def progress(phase: Phase, text: str | None = None) -> ProgressEvent:
    """Word of a job."""
    return ProgressEvent(
        event_id="p",
        occurred_at=NOW,
        job_id="j",
        phase=phase,
        stage="transcriber",
        text=text,
        metadata={"name": "a.wav"},
    )


def test_the_text_is_told_whichever_word_of_the_end_comes_first() -> None:
    """Progress and transcripts are on different topics, which have no order among them."""
    begun, ended = progress(Phase.TRANSCRIBING, "one"), progress(Phase.COMPLETED)
    transcript = event_of("j", text="one two", name="a.wav")
    expected = ["a.wav: transcribing  one", "a.wav: completed  one two"]
    assert told(begun, ended, transcript) == expected
    assert told(begun, transcript, ended) == expected


def test_a_text_that_was_heard_already_is_told_at_the_end_too() -> None:
    """Short audio is heard in one piece."""
    begun, ended = progress(Phase.TRANSCRIBING, "one"), progress(Phase.COMPLETED)
    assert told(begun, ended, event_of("j", text="one", name="a.wav"))[-1] == "a.wav: completed  one"


def test_a_long_text_stays_on_its_line() -> None:
    """Whoever reads lines gets one for each thing that is told."""
    text = " ".join(["word"] * 30)
    assert told(event_of("j", text=text, name="a.wav")) == [f"a.wav: completed  {text}"]


def test_what_is_said_about_a_file_is_said_as_it_is() -> None:
    """Brackets in a file's name are no mark-up."""
    written = io.StringIO()
    Board(Console(file=written, width=200)).say("call [/b] [red].wav was not submitted")
    assert written.getvalue() == "call [/b] [red].wav was not submitted\n"


def test_nobody_steers_the_terminal_by_a_file_s_name() -> None:
    """What a name holds beside text is replaced."""
    (line,) = told(event_of("j", text="one\x1b[2J", name="\x1b]0;owned\x07.wav"))
    assert "\x1b" not in line
    assert "\x07" not in line
