"""The drop folder's names and times: whatever is dropped there, the folder goes on being watched."""

import os
import shutil
import threading
from pathlib import Path

from kascribe.embedded.drop_folder import EMPTY_STABLE_SECONDS, STABLE_SECONDS, Debouncer, Fingerprint, scan
from kascribe.embedded.keeper import Dropped, Keeper
from tests.support.kept import event_of, spoken_transcript
from tests.support.waiting import eventually


def test_a_file_that_replaces_another_is_transcribed_whatever_its_time_says(tmp_path: Path) -> None:
    """Also when the first one's transcript is written later; a copy keeps the time of its original besides."""
    drop, keeper = tmp_path / "drop", keeper_in(tmp_path / "transcripts")
    drop.mkdir()
    call = drop / "call.wav"
    call.write_bytes(b"the first")
    (first,) = dropped_in(drop, keeper)
    old = tmp_path / "old.wav"
    eventually(lambda: written_now(old) > first.changed_ns, timeout_seconds=30, what="a later clock tick")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    old.replace(call)
    keep(keeper, "1", first)
    (second,) = dropped_in(drop, keeper)
    assert second.path == call
    keep(keeper, "2", second)
    assert dropped_in(drop, keeper) == []


def test_a_transcript_that_comes_late_does_not_replace_that_of_a_newer_file(tmp_path: Path) -> None:
    """Of two files of one name the later is kept, whichever is done first."""
    keeper = keeper_in(tmp_path)
    keeper.expect("1", Dropped("call.wav", 1_000))
    keeper.expect("2", Dropped("call.wav", 2_000))
    assert keeper.keep_transcript(event_of("2")) == tmp_path / "call.wav.json"
    assert keeper.keep_transcript(event_of("1")) is None
    assert (tmp_path / "call.wav.txt").read_text(encoding="utf-8").strip() == "job 2"
    assert keeper.is_kept(Dropped("call.wav", 2_000))
    assert not keeper.is_kept(Dropped("call.wav", 1_000))


def test_an_empty_file_is_told_about_once_it_has_stayed_empty(tmp_path: Path) -> None:
    """Every copy begins empty, so it is given longer; one that grows meanwhile is a file like any other."""
    (tmp_path / "empty.wav").touch()
    debouncer = Debouncer(lambda _: False)
    assert debouncer.stable(scan(tmp_path), now=0.0) == []
    assert debouncer.stable(scan(tmp_path), now=STABLE_SECONDS) == []
    (empty,) = debouncer.stable(scan(tmp_path), now=EMPTY_STABLE_SECONDS)
    assert (empty.path.name, empty.object_size_bytes) == ("empty.wav", 0)
    assert debouncer.stable(scan(tmp_path), now=2 * EMPTY_STABLE_SECONDS) == []
    (tmp_path / "empty.wav").write_bytes(b"audio")
    debouncer.stable(scan(tmp_path), now=20.0)
    assert [file.object_size_bytes for file in debouncer.stable(scan(tmp_path), now=20.0 + STABLE_SECONDS)] == [5]


def test_what_is_hidden_or_unfinished_is_left_alone(tmp_path: Path) -> None:
    """Also what lies in hidden folders, such as a file manager's own."""
    for name in ("call.wav", ".call.wav", "call.wav.part", "~call.wav", ".trash/call.wav", "sub/회의.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"audio")
    seen = [file.path.relative_to(tmp_path).as_posix() for file in scan(tmp_path)]
    assert seen == ["call.wav", "sub/회의.wav"]


def test_folders_that_vanish_while_they_are_looked_at_are_passed_by(tmp_path: Path) -> None:
    """People move folders out of the drop folder at any moment."""
    (tmp_path / "call.wav").write_bytes(b"audio")
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(20):
                (tmp_path / str(number)).mkdir()
            for number in range(20):
                shutil.rmtree(tmp_path / str(number))

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        for _ in range(300):
            assert [file.path for file in scan(tmp_path)] == [tmp_path / "call.wav"]
    finally:
        stop.set()
        churning.join()


def keeper_in(directory: Path) -> Keeper:
    """Every job's transcript says which job it is of."""
    return Keeper(directory, lambda job_id: spoken_transcript(f"job {job_id}"))


def keep(keeper: Keeper, job_id: str, file: Fingerprint) -> None:
    """Store the transcript of a complete file."""
    keeper.expect(job_id, Dropped(file.path.name, file.changed_ns))
    assert keeper.keep_transcript(event_of(job_id))


def dropped_in(drop: Path, keeper: Keeper) -> list[Fingerprint]:
    """Return the files that a stack which starts now would submit."""
    debouncer = Debouncer(lambda file: keeper.is_kept(Dropped(file.path.name, file.changed_ns)))
    debouncer.stable(scan(drop), now=0.0)
    return debouncer.stable(scan(drop), now=STABLE_SECONDS)


def written_now(path: Path) -> int:
    """When a file that is written now was changed."""
    path.write_bytes(b"the second")
    return path.stat().st_ctime_ns
