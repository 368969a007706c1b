"""The scratch directory: gone when done with, and swept after a process that was killed."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.transcriber.scratch import Scratch, write_at
from schemas.errors import AudioTooLarge, DependencyDown


def test_a_directory_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    """Nothing outlives its context; nothing outlives the scratch directory."""
    scratch = Scratch(tmp_path)
    with scratch.directory() as one, scratch.directory() as other:
        assert one != other
        (one / "audio").write_bytes(b"x")
    assert not one.exists()
    scratch.close()
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path: Path) -> None:
    """Files of a dead process are removed at start; those of a living one, and other people's, are kept."""
    program = (
        "import os, pathlib, sys; from consumers.transcriber.scratch import Scratch\n"
        "context = Scratch(pathlib.Path(sys.argv[1])).directory()\n"
        "(context.__enter__() / 'audio').write_bytes(b'x'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, cwd=Path(__file__).parents[3])
    (abandoned,) = tmp_path.glob("kascribe-*")
    assert list(abandoned.glob("*/audio"))
    (tmp_path / "kascribe-notes").mkdir()
    living = Scratch(tmp_path)
    with living.directory() as kept:
        Scratch(tmp_path).close()
        assert kept.exists()
    assert not abandoned.exists()
    assert (tmp_path / "kascribe-notes").exists()


def test_room_is_asked_for_before_it_is_used(tmp_path: Path) -> None:
    """A file that does not fit is the disk's trouble, until there is room for it."""
    scratch = Scratch(tmp_path)
    assert scratch.has_room()
    with pytest.raises(DependencyDown) as raised:
        scratch.check_room(shutil.disk_usage(tmp_path).total)
    assert raised.value.dependency == "scratch"
    assert not scratch.has_room()
    scratch.check_room(1)
    scratch.close()


def test_what_the_whole_disk_could_not_hold_pauses_nobody(tmp_path: Path) -> None:
    """No waiting makes room for it, so it fails alone: else one record would stop all others for ever."""
    scratch = Scratch(tmp_path)
    with pytest.raises(AudioTooLarge, match="holds at all"):
        scratch.check_room(2 * shutil.disk_usage(tmp_path).total)
    assert scratch.has_room()
    scratch.close()


def test_a_write_that_the_disk_takes_only_in_part_is_an_error(tmp_path: Path) -> None:
    """The system answers with a short count and no error; what is missing must not become silence."""
    limit_bytes = 1024**2
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "audio").open("wb") as file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
        try:
            write_at(file.fileno(), b"whole", limit_bytes - 5)
            with pytest.raises(OSError, match="too large"):
                write_at(file.fileno(), b"in part", limit_bytes - 5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


_WITHOUT_DESCRIPTORS = """
import os, pathlib, resource, sys
from consumers.runtime.execution.descriptors import are_free
from consumers.transcriber.scratch import Scratch
from schemas.errors import DependencyDown

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
scratch = Scratch(pathlib.Path(sys.argv[1]))


def exhaust():
    opened = []
    try:
        while True:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return opened


with scratch.directory() as made:
    assert are_free()
    opened = exhaust()
    assert not are_free(1)
    try:
        with scratch.directory() as other, (other / "audio").open("wb"):
            pass
    except OSError as error:
        print("raw", error.errno)
    except DependencyDown as down:
        print(down.dependency)
print("left behind" if made.exists() else "removed")
for descriptor in opened:
    os.close(descriptor)
assert are_free()
with scratch.directory():
    print("left behind" if made.exists() else "removed")
"""


def test_a_directory_that_could_not_be_removed_without_descriptors_is_removed_later(tmp_path: Path) -> None:
    """A process at its limit opens nothing, not even the directory that it would remove."""
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT_DESCRIPTORS, str(tmp_path)],
        check=True,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert ended.stdout.splitlines()[-2:] == ["left behind", "removed"]
