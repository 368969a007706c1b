"""The drop folder's names and times: whatever is dropped there, the folder goes on being watched."""

import io
import os
from pathlib import Path

from rich.console import Console

from kascribe.board import Board
from kascribe.embedded.drop_folder import SETTLE_SECONDS, Settling, scan
from kascribe.embedded.keeper import Keeper, relative_name
from schemas.transcript import Transcript
from tests.waiting import eventually


def test_a_file_that_replaces_another_is_transcribed_whatever_its_time_says(tmp_path: Path) -> None:
    """A copy keeps the time of its original, which may be older than the transcript of what was there before."""
    drop, transcripts = tmp_path / "drop", tmp_path / "transcripts"
    drop.mkdir()
    transcripts.mkdir()
    (drop / "call.wav").write_bytes(b"the first")
    keeper = Keeper(transcripts, _no_transcript)
    kept = transcripts / "call.wav.json"
    kept.write_text("{}")
    assert _dropped(drop, keeper) == []
    old = tmp_path / "old.wav"
    eventually(lambda: _written_now(old) > kept.stat().st_mtime_ns, timeout_seconds=30, what="a later clock tick")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    old.replace(drop / "call.wav")
    assert _dropped(drop, keeper) == [drop / "call.wav"]


def test_no_name_leads_out_of_the_folder_or_is_refused_by_the_system() -> None:
    """Names come with events, so from anybody."""
    assert relative_name("../../etc/passwd") == Path("etc/passwd")
    assert relative_name("call\0.wav") == Path("call.wav")
    assert relative_name("\0") == Path("unnamed")


def test_what_is_said_about_a_file_is_said_as_it_is() -> None:
    """Brackets in a file's name are no mark-up."""
    written = io.StringIO()
    Board(Console(file=written, width=200)).say("call [/b] [red].wav was not submitted")
    assert written.getvalue() == "call [/b] [red].wav was not submitted\n"


def _dropped(drop: Path, keeper: Keeper) -> list[Path]:
    settling = Settling(lambda file: keeper.is_kept(file.path.name, changed_ns=file.changed_ns))
    settling.settled(scan(drop), now=0.0)
    return settling.settled(scan(drop), now=SETTLE_SECONDS)


def _written_now(path: Path) -> int:
    path.write_bytes(b"the second")
    return path.stat().st_ctime_ns


def _no_transcript(_: str) -> Transcript:
    raise AssertionError("nothing is kept here")
