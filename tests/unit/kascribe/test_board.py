"""What is told of jobs where nothing can be drawn over: a log, a pipe."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from kascribe.console.board import Board
from kascribe.console.job_lines import REMEMBERED_JOBS, JobLine, JobLines
from kascribe.console.terminal import Screen
from schemas.errors import Reason
from schemas.events import EnrichmentEvent, EnrichmentResult, EnrichmentStatus, Failure, Phase, ProgressEvent
from schemas.kafka.reasons import REASON_TEXTS
from schemas.transcripts.caveats import SENTENCES
from schemas.transcripts.transcript import QualityFlag, TokenUsage
from tests.support.kept import NOW, event_of


def told(*events: object, width: int = 80) -> list[str]:
    """Return the lines that are printed for events of one job."""
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
    Board(Console(file=written, width=200)).announce("call [/b] [red].wav was not submitted")
    assert written.getvalue() == "call [/b] [red].wav was not submitted\n"


def test_nobody_steers_the_terminal_by_a_file_s_name() -> None:
    """What a name holds beside text is replaced."""
    (line,) = told(event_of("j", text="one\x1b[2J", name="\x1b]0;owned\x07.wav"))
    assert "\x1b" not in line
    assert "\x07" not in line


def enrichment_of(job_id: str) -> EnrichmentEvent:
    """Build an enrichment event: a title for a transcript."""
    status = EnrichmentStatus.COMPLETED
    result = EnrichmentResult(profile="title", profile_version="1", status=status, output="a", coverage=1.0)
    return EnrichmentEvent(
        event_id="e",
        occurred_at=NOW,
        job_id=job_id,
        transcript_uri="s3://audio/t.json",
        model="m",
        results=(result,),
        results_uri="s3://audio/e.json",
        usage=TokenUsage(),
        total_seconds=0.0,
        fetch_seconds=0.0,
    )


def failed(message: str) -> Failure:
    """Why a job failed."""
    return Failure(reason=Reason.AUDIO_UNDECODABLE, message=message, attempt=1)


def of(job_id: str, phase: Phase, failure: Failure | None = None) -> ProgressEvent:
    """Word of one of many jobs, which goes by its id."""
    return progress(phase).model_copy(
        update={"job_id": job_id, "failure": failure, "metadata": {"name": f"{job_id}.wav"}}
    )


def drawn(board: Board, stream: io.StringIO) -> str:
    """Return the text of the terminal once the board has been drawn and stopped."""
    board.start()
    board.stop()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def on_terminal(*, columns: int = 80) -> tuple[Board, io.StringIO]:
    """Open a board on a terminal of a usual size; return it with the terminal's output."""
    stream = io.StringIO()
    return Board(Screen(file=stream, force_terminal=True, width=columns, height=24)), stream


def test_a_failure_among_many_is_on_the_screen_and_listed_at_the_end() -> None:
    """With the reason and what to do about it, whatever else there is to show."""
    board, stream = on_terminal()
    board.expect(61)
    for number in range(61):
        board.submitted(str(number), f"{number}.wav")
    board.show(of("5", Phase.FAILED, failed("moov atom not found")))
    for number in [n for n in range(58) if n != 5]:
        board.show(event_of(str(number), text="one", name=f"{number}.wav"))
    picture, _, ended = drawn(board, stream).rpartition("57 of 61 done, 1 failed")
    lines = [line.split() for line in picture.splitlines() if ".wav" in line]
    assert [line[:2] for line in lines[:5]] == [
        ["5.wav", "failed"],
        *([f"{n}.wav", "accepted"] for n in (58, 59, 60)),
        ["57.wav", "completed"],
    ]
    assert len(lines) == 12
    assert "5.wav: audio_undecodable: moov atom not found" in ended
    assert REASON_TEXTS[Reason.AUDIO_UNDECODABLE].remedy in ended


def test_what_failed_is_told_at_the_end_off_a_terminal_too() -> None:
    """Also a file that could not even be submitted."""
    stream = io.StringIO()
    board = Board(Screen(file=stream, width=80))
    board.expect(3)
    board.not_submitted("gone.wav", "no such file")
    board.show(of("1", Phase.FAILED, failed("it is text")))
    board.show(event_of("2", text="one", name="2.wav"))
    board.stop()
    assert stream.getvalue().splitlines()[-4:] == [
        "1 of 3 done, 2 failed",
        "  gone.wav: no such file",
        "  1.wav: audio_undecodable: it is text",
        f"    {REASON_TEXTS[Reason.AUDIO_UNDECODABLE].remedy}",
    ]


def test_a_transcript_that_lacks_sound_is_no_plain_success() -> None:
    """Among many it is on the screen, before those that lack nothing, and listed at the end; enrichment changes
    nothing about it. Other flags are for readers of single segments.
    """
    board, stream = on_terminal()
    damaged = {"flags": (QualityFlag.RETRIED, QualityFlag.AUDIO_INCOMPLETE)}
    for number in range(30):
        event = event_of(str(number), text="one", name=f"{number}.wav")
        board.show(event.model_copy(update=damaged if number == 7 else {"flags": (QualityFlag.RETRIED,)}))
    board.show(enrichment_of("7"))
    picture, _, ended = drawn(board, stream).rpartition("30 of 30 done")
    lines = [line for line in picture.splitlines() if ".wav" in line]
    assert lines[0].startswith("7.wav")
    assert "[audio_incomplete] title: a" in lines[0]
    assert all("[" not in line for line in lines[1:])
    assert f"  7.wav: audio_incomplete: {SENTENCES[QualityFlag.AUDIO_INCOMPLETE]}" in ended


def test_the_file_that_is_uploaded_is_shown_with_how_far_it_is() -> None:
    """A large file would else look like nothing at all."""
    board, stream = on_terminal()
    board.uploading("huge.mov", 0.5)
    assert re.search(r"huge\.mov +uploading +━{7}", drawn(board, stream))
    board, stream = on_terminal()
    board.uploading("huge.mov", 0.5)
    board.submitted("1", "huge.mov")
    assert "uploading" not in drawn(board, stream)


def test_several_uploads_are_shown_with_the_bytes_of_all() -> None:
    """Each with its bar; the sum vanishes once everything is uploaded."""
    board, stream = on_terminal()
    board.expect(2, upload_bytes=80_000_000)
    board.uploading("one.mov", 0.5)
    board.uploading("other.mov", 0.25)
    board.uploaded(30_000_000)
    picture = drawn(board, stream)
    assert "0 of 2 done, 30.0 of 80.0 MB uploaded" in picture
    assert re.findall(r"(\w+\.mov) +uploading", picture)[-2:] == ["one.mov", "other.mov"]
    board, stream = on_terminal()
    board.expect(2, upload_bytes=80_000_000)
    board.uploaded(80_000_000)
    board.submitted("1", "one.mov")
    assert "MB uploaded" not in drawn(board, stream)


def test_a_narrow_terminal_has_names_and_no_bars() -> None:
    """There is room for either: a name in pieces of a few letters cannot be read."""
    board, stream = on_terminal(columns=50)
    board.show(of("1", Phase.DECODING))
    assert "━" not in drawn(board, stream)


def test_a_quiet_board_prints_only_what_failed() -> None:
    """At the end; neither a table nor lines before."""
    stream = io.StringIO()
    board = Board(Screen(file=stream, force_terminal=True, width=80), is_quiet=True)
    board.start()
    board.announce("call.wav: job 1")
    board.show(event_of("1", text="one", name="call.wav"))
    board.not_submitted("gone.wav", "no such file")
    assert stream.getvalue() == ""
    board.stop()
    assert stream.getvalue().splitlines() == ["1 of 2 done, 1 failed", "  gone.wav: no such file"]


@pytest.mark.parametrize("name", [f"{'long-' * 14}name.wav", "회의 녹음 " * 8 + ".wav"])
def test_no_name_is_cut_at_80_columns(name: str) -> None:
    """It goes on in the next line, whole, in scripts of wide letters too."""
    board, stream = on_terminal()
    board.show(event_of("j", text="one two three " * 20, name=name))
    picture = drawn(board, stream)
    (rows,) = re.findall(r"(?s)1 of 1 done *\n(.*)", picture)
    pieces = [re.split(r"  |━| completed", line)[0] for line in rows.splitlines()]
    assert "".join("".join(pieces).split()) == "".join(name.split())
    assert all(cell_len(line) <= 80 for line in picture.splitlines())


def test_a_session_that_lasts_remembers_a_bounded_number_of_jobs() -> None:
    """What was forgotten is counted."""
    jobs = JobLines()
    for number in range(REMEMBERED_JOBS + 50):
        jobs.put(str(number), JobLine(f"{number}.wav", Phase.FAILED if number < 3 else Phase.COMPLETED))
    assert len(jobs.shown(10**6)) <= REMEMBERED_JOBS
    assert jobs.counts() == f"{REMEMBERED_JOBS + 47} of {REMEMBERED_JOBS + 50} done, 3 failed"


def test_lines_go_to_a_file_while_the_table_is_drawn_on_the_terminal() -> None:
    """`kascribe submit DIR > log` shows progress, and the log has no line that steers."""
    log, stream = io.StringIO(), io.StringIO()
    board = Board(Screen(file=log, width=80), beside=Screen(file=stream, force_terminal=True, width=80, height=24))
    board.start()
    board.announce("a.wav: job 1")
    board.show(event_of("j", text="one", name="a.wav"))
    board.stop()
    assert log.getvalue().splitlines() == ["a.wav: job 1", "a.wav: completed  one"]
    assert "1 of 1 done" in stream.getvalue()
