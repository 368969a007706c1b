"""What arguments of the command line name."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from kascribe.sources.arguments import Source, Sources, sources_of
from kascribe.sources.media import are_media_bytes
from schemas.errors import ConfigurationError

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with recordings, other files, hidden and unfinished ones, and go there."""
    contents = {
        "rec/one.mp3": b"",
        "rec/deep/er/two.WAV": b"x",
        "rec/no-suffix": WAV,
        "rec/program.ts": b"const a = 1",
        "rec/notes.txt": b"text",
        "rec/.DS_Store": b"x",
        "rec/.trash/three.mp3": b"x",
        "rec/four.mp3.part": b"x",
        "texts/notes.txt": b"text",
        "letter[1].wav": WAV,
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unread() -> Source:
    """Stand for standard input where nothing may read it."""
    raise AssertionError("standard input was read")


def found(*arguments: str) -> Sources:
    """Return what arguments name."""
    return sources_of(arguments, standard_input=unread)


def names(*arguments: str) -> list[str]:
    """Return the names of what arguments name."""
    return [source.name for source in found(*arguments).found]


def test_a_folder_stands_for_the_media_in_it_at_any_depth() -> None:
    """By name, else by the first bytes; empty recordings are taken, so that they are reported."""
    sources = found("rec")
    assert [source.name for source in sources.found] == ["deep/er/two.WAV", "no-suffix", "one.mp3"]
    assert sources.found[0].location == "rec/deep/er/two.WAV"


def test_what_is_left_out_of_a_folder_is_said() -> None:
    """Hidden and unfinished files, and what is no recording."""
    assert sorted(found("rec").left_out_sentences()) == [
        "left out, hidden or unfinished: .trash, .DS_Store, four.mp3.part",
        "left out, neither audio nor video: notes.txt, program.ts",
    ]


def test_a_long_list_is_cut_short() -> None:
    """Three names tell enough."""
    sources = Sources()
    for number in range(7):
        sources.leave_out(f"{number}.txt", "neither audio nor video")
    assert list(sources.left_out_sentences()) == [
        "left out, neither audio nor video: 0.txt, 1.txt, 2.txt and 4 more"
    ]


def test_a_file_that_is_named_is_taken_whatever_it_is() -> None:
    """The user knows better than a list of suffixes; also when its name looks like a pattern."""
    assert names("rec/notes.txt", "letter[1].wav") == ["notes.txt", "letter[1].wav"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("rec/*.mp3", ["one.mp3"]),
        ("rec/**/*", ["deep/er/two.WAV", "no-suffix", "one.mp3"]),
        ("**/*.[Ww][Aa][Vv]", ["letter[1].wav", "rec/deep/er/two.WAV"]),
    ],
)
def test_a_quoted_pattern_stands_for_the_media_that_match(pattern: str, expected: list[str]) -> None:
    """As a shell would have it, also with **; named relative to where all of them are."""
    assert names(pattern) == expected


def test_what_is_named_twice_is_taken_once() -> None:
    """A folder and a file in it, or a pattern that overlaps."""
    assert names("rec", "rec/one.mp3", "./rec/*.mp3") == ["deep/er/two.WAV", "no-suffix", "one.mp3"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("rec/one.mp4", r"there is no file or folder rec/one\.mp4: did you mean rec/one\.mp3\?"),
        ("rec/*.flac", r"no audio or video matches rec/\*\.flac"),
        ("texts", "no audio or video is in texts; left out, neither audio nor video: notes.txt"),
        ("s3://calls/a.wav", "`kascribe submit` takes it"),
        ("pipe", "pipe it to this command, with - in its place"),
    ],
)
def test_what_names_nothing_is_said_with_what_to_do(argument: str, said: str, folder: Path) -> None:
    """Before anything is done for the other arguments."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(ConfigurationError, match=said):
        found("rec", argument)


def test_names_that_are_no_utf8_keep_their_bytes_for_files_and_are_readable_for_people(folder: Path) -> None:
    """Old archives hold names in other encodings."""
    raw = os.fsdecode(b"entr\xe9e.wav")
    (folder / "old").mkdir()
    (folder / "old" / raw).write_bytes(WAV)
    (source,) = found("old").found
    assert (source.name, source.file_name) == ("entr\N{REPLACEMENT CHARACTER}e.wav", raw)


def test_a_prefix_stands_for_the_objects_below_it() -> None:
    """By name alone: no object is fetched for this."""

    def below(address: str) -> Iterable[Source]:
        assert address == "s3://calls/2026/"
        keys = ("2026/a.wav", "2026/b/c.mp3", "2026/readme.txt", "2026/.keep")
        return [Source(f"s3://calls/{key}", key.removeprefix("2026/"), "etag") for key in keys]

    sources = sources_of(["s3://calls/2026/", "s3://calls/x.bin"], standard_input=unread, list_objects=below)
    assert [(source.location, source.name) for source in sources.found] == [
        ("s3://calls/2026/a.wav", "a.wav"),
        ("s3://calls/2026/b/c.mp3", "b/c.mp3"),
        ("s3://calls/x.bin", "x.bin"),
    ]
    assert sources.left_out["neither audio nor video"] == ["readme.txt"]


def test_a_name_is_that_of_one_source() -> None:
    """``--name`` for several would give them all the same."""
    (renamed,) = found("rec/one.mp3").named("call")
    assert (renamed.name, renamed.location) == ("call", "rec/one.mp3")
    with pytest.raises(ConfigurationError, match="--name is that of one file, and these are 3"):
        found("rec").named("call")


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (WAV, True),
        (b"ID3\x04", True),
        (b"\xff\xfb\x90\x64", True),
        (b"\x00\x00\x00\x20ftypM4A ", True),
        (b"\x1aE\xdf\xa3", True),
        (b"G" + bytes(187) + b"G", True),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", False),
        (b"%PDF-1.7", False),
        (b"\xff\xd8\xff\xe0", False),
        (b"Go to the next page", False),
        (b"", False),
    ],
)
def test_the_first_bytes_tell_recordings_from_other_files(first: bytes, *, expected: bool) -> None:
    """Pictures share containers with recordings, and texts begin with any letter."""
    assert are_media_bytes(first) is expected
