"""The files that transcripts are written to."""

from pathlib import Path

import pytest

from kascribe.commands.transcripts.targets import targets_of, write_whole
from kascribe.sources.arguments import Source
from schemas.errors import ConfigurationError


def source(path: Path, file_name: str = "") -> Source:
    """Return a file as an argument names it."""
    return Source(str(path), path.name, file_name=file_name or path.name)


def targets(tmp_path: Path, *sources: Source, may_replace: bool = False) -> dict[Source, Path]:
    """Return the targets in a folder of their own."""
    return targets_of(sources, tmp_path / "out", "srt", may_replace=may_replace)


def test_files_of_a_folder_keep_their_folders(tmp_path: Path) -> None:
    """So two files of one name in two folders are two transcripts."""
    one, other = source(tmp_path / "a.wav", "2025/a.wav"), source(tmp_path / "b" / "a.wav", "2026/a.wav")
    assert targets(tmp_path, one, other) == {
        one: tmp_path / "out" / "2025" / "a.wav.srt",
        other: tmp_path / "out" / "2026" / "a.wav.srt",
    }
    assert (tmp_path / "out" / "2026").is_dir()


def test_two_files_of_one_name_are_not_written_over_each_other(tmp_path: Path) -> None:
    """Before anything is transcribed."""
    sources = source(tmp_path / "one" / "a.wav"), source(tmp_path / "other" / "a.wav")
    with pytest.raises(ConfigurationError, match="give each an --output-dir of its own"):
        targets(tmp_path, *sources)


def test_what_is_there_is_replaced_only_when_the_user_says_so(tmp_path: Path) -> None:
    """The sentence names the files and the option."""
    there = tmp_path / "out" / "a.wav.srt"
    there.parent.mkdir()
    there.write_text("corrected by hand")
    with pytest.raises(ConfigurationError, match=r"a\.wav\.srt: there already; --force replaces"):
        targets(tmp_path, source(tmp_path / "a.wav"))
    assert list(targets(tmp_path, source(tmp_path / "a.wav"), may_replace=True).values()) == [there]
    assert there.read_text() == "corrected by hand"


def test_a_name_leads_out_of_no_folder(tmp_path: Path) -> None:
    """``--name`` may be anything."""
    (target,) = targets(tmp_path, source(tmp_path / "x", "../../etc/cron.d/a")).values()
    assert target == tmp_path / "out" / "etc" / "cron.d" / "a.srt"


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_transcribed(tmp_path: Path) -> None:
    """By the option that named it."""
    (tmp_path / "out").touch()
    with pytest.raises(ConfigurationError, match=r"--output-dir .*/out cannot be made"):
        targets(tmp_path, source(tmp_path / "a.wav"))


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    """A process that ends in between leaves no half of a transcript under the name."""
    target = tmp_path / "a.txt"
    target.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "after \ud800")
    assert target.read_text() == "before"
    write_whole(target, "after")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".txt"] == ["a.txt"]
    assert target.read_text() == "after"
