"""Where transcripts are kept on disk: names come with events, so from anybody."""

from pathlib import Path

from kascribe.embedded.keeper import Dropped, Keeper, relative_name
from tests.support.kept import event_of, spoken_transcript

NAME_BYTES = 255
"""What file systems take."""


def test_no_name_leads_out_of_the_folder_or_is_refused_by_the_system() -> None:
    """Neither a path nor a character that no file system takes."""
    assert relative_name("../../etc/passwd") == Path("etc/passwd")
    assert relative_name("call\0.wav") == Path("call.wav")
    assert relative_name("\0") == Path("unnamed")


def test_jobs_of_the_same_name_are_kept_side_by_side(tmp_path: Path) -> None:
    """Half of the world's uploads are called audio.wav; only the drop folder has each name but once."""
    keeper = Keeper(tmp_path, lambda job_id: spoken_transcript(f"job {job_id}"))
    keeper.expect("d" * 32, Dropped("audio.wav", 1_000))
    for job_id in ("a" * 32, "b" * 32, "d" * 32):
        assert keeper.keep_transcript(event_of(job_id, name="audio.wav"))
    kept = {path.name: path.read_text(encoding="utf-8").strip() for path in tmp_path.glob("*.txt")}
    assert kept == {
        "audio.wav-aaaaaaaa.txt": f"job {'a' * 32}",
        "audio.wav-bbbbbbbb.txt": f"job {'b' * 32}",
        "audio.wav.txt": f"job {'d' * 32}",
    }


def test_a_name_as_long_as_a_file_may_have_is_kept(tmp_path: Path) -> None:
    """With all that is added to it; what is cut off still tells two names apart."""
    keeper = Keeper(tmp_path, lambda job_id: spoken_transcript(f"job {job_id}"))
    for number in (1, 2):
        name = "회" * (NAME_BYTES // 3 - 2) + f"{number}.wav"
        assert len(name.encode()) in range(NAME_BYTES - 5, NAME_BYTES + 1)
        keeper.expect(f"drop {number}", Dropped(name, number))
        keeper.keep_transcript(event_of(f"drop {number}", name=name))
        keeper.keep_transcript(event_of(f"{number}" * 32, name=f"{name}/{name}"))
        assert keeper.is_kept(Dropped(name, number))
    assert len(list(tmp_path.rglob("*.txt"))) == 4
