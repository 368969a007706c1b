"""Which failures are caused by file descriptors that ran out."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from consumers.runtime.execution.descriptors import shortage
from consumers.runtime.retry import PAUSES_LIMIT, Pause, decide
from consumers.transcriber.scratch import disk_errors
from schemas.errors import DependencyDown, EnrichmentFailed, InvalidEvent, JobCancelled


def _buried(number: int) -> EnrichmentFailed:
    """Wrap the system's error twice: by a library that chains it, and by one that does not."""
    connection = ConnectionError("no connection")
    connection.__cause__ = OSError(number, os.strerror(number))
    failed = EnrichmentFailed("the server failed this request")
    failed.__context__ = connection
    return failed


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_shortage_is_found_however_deep_a_library_buries_it(number: int) -> None:
    """Of the process or of the machine; and every attempt after it is a pause, however many there were."""
    found = shortage(_buried(number))
    assert isinstance(found, DependencyDown)
    assert found.dependency == "descriptors"
    assert shortage(found) is found
    decision = decide(found, topic="t", attempt=9, retry_delays_seconds=(1,), now_ms=0, pauses=PAUSES_LIMIT + 1)
    assert decision == Pause("descriptors")


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOENT, "gone"), InvalidEvent("not JSON"), JobCancelled("stop"), DependencyDown("s3", "x")],
)
def test_other_failures_stay_what_they_are(error: BaseException) -> None:
    """While there are descriptors, only the error's own numbers decide."""
    assert shortage(error) is error


def test_an_error_that_goes_round_in_a_circle_is_followed_for_a_while() -> None:
    """And then it is no shortage."""
    error = EnrichmentFailed("round")
    error.__cause__ = error
    assert shortage(error) is error


def test_a_disk_error_that_is_a_shortage_of_descriptors_is_found() -> None:
    """It is not a full disk, whose check would find room."""
    with pytest.raises(DependencyDown) as raised, disk_errors(Path("/scratch")):
        raise OSError(errno.EMFILE, "too many open files")
    assert raised.value.dependency == "descriptors"


_AT_THE_LIMIT: Final = """
import os, resource, tempfile
from consumers.runtime.execution.descriptors import are_free, shortage
from models.media.spool import FeatureSpool
from schemas.errors import AudioUndecodable, DependencyDown, EnrichmentFailed

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
tempfile.gettempdir()  # asked for once, by opening a file there; the roles do that when they start
free, opened = are_free(), []
try:
    while True:
        opened.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    FeatureSpool(mel_bands=80)
except DependencyDown as down:
    spool = down.dependency
silent = shortage(EnrichmentFailed("the name could not be resolved"))
permanent = shortage(AudioUndecodable("not audio"))
scarce = are_free(1)
for descriptor in opened:
    os.close(descriptor)
print(free, scarce, are_free(), spool, getattr(silent, "dependency", None), type(permanent).__name__)
"""


def test_a_process_at_its_limit_finds_the_shortage() -> None:
    """Also where the error does not name it; a record that is at fault by itself stays so."""
    ended = subprocess.run(
        [sys.executable, "-c", _AT_THE_LIMIT],
        check=True,
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
    )
    assert ended.stdout.split() == ["True", "False", "True", "descriptors", "descriptors", "AudioUndecodable"]
