"""Children die, hang, and are orphaned; records and machines do not notice."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from models.media.messages import ContainerOpened, DecodeFinished, DecodeProgress
from models.media.pool import EARLY_PROCESSES, PROCESSES_LIMIT, decoder_processes
from models.media.spool import FeatureSpool
from schemas.errors import AudioTooLarge, ConfigurationError, DecoderCrashed, DependencyDown, JobCancelled
from schemas.options import Lane
from schemas.settings import WhisperSettings
from tests.sound.decoding import Decoders, closed_spool, ending, long_recording, wide_recording
from tests.support.listening import speech
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """One child; whatever a test does to it, the next one finds it well."""
    each = Decoders(WhisperSettings(decoder_processes=1, audio_limit_seconds=600))
    yield each
    each.pool.close()


@pytest.fixture(scope="module")
def clip() -> Path:
    """Real speech."""
    return speech("en-digits.ogg")


def test_a_killed_child_fails_its_record_and_the_next_record_is_decoded(
    decoders: Decoders, tmp_path: Path, clip: Path
) -> None:
    """A crash of the decoder is transient for the one record and invisible to the others."""
    inbox = decoders.start(long_recording(tmp_path))
    assert isinstance(inbox.get(timeout=60), ContainerOpened)
    (pid,) = decoders.pool.pids()
    os.kill(pid, signal.SIGKILL)
    failed = ending(inbox)
    assert isinstance(failed, DecoderCrashed)
    assert "signal 9" in str(failed)
    assert isinstance(decoders.outcome(clip), DecodeFinished)
    assert pid not in decoders.pool.pids()


def test_a_silent_child_is_killed(tmp_path: Path, clip: Path) -> None:
    """A decoder that hangs is found by its silence and replaced."""
    decoders = Decoders(WhisperSettings(decoder_processes=1, decoder_timeout_seconds=5))
    inbox = decoders.start(long_recording(tmp_path))
    assert isinstance(inbox.get(timeout=60), ContainerOpened)
    (pid,) = decoders.pool.pids()
    os.kill(pid, signal.SIGSTOP)
    failed = ending(inbox)
    assert isinstance(failed, DecoderCrashed)
    assert "5 seconds" in str(failed)
    assert isinstance(decoders.outcome(clip), DecodeFinished)
    decoders.pool.close()


def test_a_clip_that_somebody_waits_for_does_not_stand_behind_bulk_audio(tmp_path: Path, clip: Path) -> None:
    """With its only decoder busy for as long as it likes, the pool starts another for the interactive lane."""
    decoders = Decoders(WhisperSettings(decoder_processes=1))
    bulk = decoders.start(long_recording(tmp_path))
    assert isinstance(bulk.get(timeout=60), ContainerOpened)
    (busy,) = decoders.pool.pids()
    os.kill(busy, signal.SIGSTOP)
    assert isinstance(ending(decoders.start(clip, lane=Lane.INTERACTIVE)), DecodeFinished)
    os.kill(busy, signal.SIGCONT)
    assert isinstance(ending(bulk), DecodeFinished)
    decoders.pool.close()


def test_a_cancelled_record_stops_being_decoded(decoders: Decoders, tmp_path: Path, clip: Path) -> None:
    """Cancelling takes the child away from the record within a second and gives it to the next."""
    stopped: list[bool] = []
    inbox = decoders.start(long_recording(tmp_path), cancelled=lambda: bool(stopped))
    while not isinstance(inbox.get(timeout=60), DecodeProgress):
        pass
    stopped.append(True)
    assert isinstance(ending(inbox), JobCancelled)
    assert isinstance(decoders.outcome(clip), DecodeFinished)


def test_a_record_that_is_cancelled_in_line_costs_no_child(tmp_path: Path, clip: Path) -> None:
    """Its spool may be gone by the time it would be decoded; the child that it waited for serves the next."""
    decoders = Decoders(WhisperSettings(decoder_processes=1))
    bulk = decoders.start(long_recording(tmp_path))
    assert isinstance(bulk.get(timeout=60), ContainerOpened)
    (pid,) = decoders.pool.pids()
    waiting = decoders.start(clip, cancelled=lambda: True)
    gone = decoders.start(clip, spool=closed_spool())
    assert isinstance(ending(bulk), DecodeFinished)
    assert isinstance(ending(waiting), JobCancelled)
    assert isinstance(ending(gone), DecoderCrashed)
    assert isinstance(decoders.outcome(clip), DecodeFinished)
    assert decoders.pool.pids() == {pid}
    decoders.pool.close()


def test_a_caller_that_fails_takes_no_decoder_with_it(clip: Path) -> None:
    """Whatever a record's own callbacks raise, its record fails and the next one is decoded."""

    def broken() -> bool:
        raise RuntimeError("the caller is gone")

    decoders = Decoders(WhisperSettings(decoder_processes=1))
    failed = ending(decoders.start(clip, cancelled=broken))
    assert isinstance(failed, DecoderCrashed)
    assert "the caller is gone" in str(failed)
    assert isinstance(decoders.outcome(clip), DecodeFinished)
    decoders.pool.close()


def full_spool() -> FeatureSpool:
    """One on a disk that is full."""
    spool = FeatureSpool(mel_bands=80)
    spool.unlink()
    spool.path.symlink_to("/dev/full")
    return spool


def test_a_full_disk_is_not_the_recordings_fault(decoders: Decoders, clip: Path) -> None:
    """Intake pauses until there is room; sound audio is not dead-lettered as undecodable."""
    spool = full_spool()
    failed = ending(decoders.start(clip, spool=spool))
    spool.close()
    assert isinstance(failed, DependencyDown)
    assert failed.dependency == "scratch"
    assert isinstance(decoders.outcome(clip), DecodeFinished)


def test_what_a_recording_needs_of_a_full_disk_goes_by_its_length(
    decoders: Decoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intake resumes when all of it fits; what can never fit fails alone and stops no other record."""
    recording = long_recording(tmp_path)
    with closing(full_spool()) as spool:
        failed = ending(decoders.start(recording, vad=False, spool=spool))
    assert isinstance(failed, DependencyDown)
    assert failed.needed_bytes == pytest.approx(9 * 60 * 100 * 80 * 4, rel=0.1)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1024**2))
    with closing(full_spool()) as spool:
        assert isinstance(ending(decoders.start(recording, vad=False, spool=spool)), AudioTooLarge)


def test_room_that_other_recordings_will_give_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what would not fit with all spools gone is too large."""
    with closing(FeatureSpool(mel_bands=80)) as other, closing(FeatureSpool(mel_bands=80)) as spool:
        other.path.write_bytes(bytes(8 * 1024**2))
        usage = shutil.disk_usage(spool.path.parent)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
        assert isinstance(spool.full_error(4 * 1024**2), DependencyDown)
        assert isinstance(spool.full_error(16 * 1024**2), AudioTooLarge)


def test_a_child_that_needs_too_much_memory_takes_nobody_with_it(tmp_path: Path) -> None:
    """The limit on a child's address space turns into a failed record, not into a machine out of memory."""
    decoders = Decoders(WhisperSettings(decoder_processes=1, decoder_memory_bytes=370 * 1024**2))
    decoders.pool.wait_ready()
    assert isinstance(
        decoders.outcome(wide_recording(tmp_path), vad=False, split=True), DecoderCrashed | AudioTooLarge
    )
    decoders.pool.close()


def test_a_decoder_that_cannot_start_says_why_and_blames_no_recording(clip: Path) -> None:
    """Starting up ends with the child's own words; a record that comes all the same waits instead of failing."""
    decoders = Decoders(WhisperSettings(decoder_processes=1, decoder_memory_bytes=150 * 1024**2))
    with pytest.raises(ConfigurationError, match=r"KASCRIBE_WHISPER_DECODER_MEMORY_BYTES") as raised:
        decoders.pool.wait_ready()
    assert "its output: " in str(raised.value)
    failed = decoders.outcome(clip)
    assert isinstance(failed, DependencyDown)
    assert failed.dependency == "engine"
    decoders.pool.close()


def test_children_run_our_code_wherever_they_are_started(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of the user's that is called models, in the working directory, is neither run nor in the way."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise SystemExit('not ours')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    decoders = Decoders(WhisperSettings(decoder_processes=1))
    decoders.pool.wait_ready()
    assert isinstance(decoders.outcome(clip), DecodeFinished)
    decoders.pool.close()


def test_a_name_that_is_not_utf_8_is_no_obstacle(decoders: Decoders, clip: Path, tmp_path: Path) -> None:
    """Korean archives hold names in CP949."""
    path = tmp_path / os.fsdecode("녹음.ogg".encode("cp949"))
    path.write_bytes(clip.read_bytes())
    assert isinstance(decoders.outcome(path), DecodeFinished)


def test_children_see_no_credentials(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child's environment holds what Python needs and nothing that opens a door."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for children")
    fresh = Decoders(WhisperSettings(decoder_processes=1))
    assert isinstance(fresh.outcome(clip), DecodeFinished)
    (pid,) = fresh.pool.pids()
    environment = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")
    assert "AWS_SECRET" not in environment
    assert "PYTHONPATH" in environment
    fresh.pool.close()


def test_closing_ends_the_children(clip: Path) -> None:
    """No process is left behind."""
    decoders = Decoders(WhisperSettings(decoder_processes=2))
    assert isinstance(decoders.outcome(clip), DecodeFinished)
    pids = decoders.pool.pids()
    decoders.pool.close()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), timeout_seconds=30)


def test_further_children_start_when_the_first_are_busy(tmp_path: Path, clip: Path) -> None:
    """A machine of many cores holds no child that nothing needs: a file waits for one that starts."""
    decoders = Decoders(WhisperSettings(decoder_processes=3))
    for _ in range(3):
        assert isinstance(decoders.outcome(clip), DecodeFinished)
    decoders.pool.wait_ready()
    assert len(decoders.pool.pids()) <= EARLY_PROCESSES
    recording = long_recording(tmp_path)
    running = [decoders.start(recording) for _ in range(3)]
    assert all(isinstance(each.get(timeout=60), ContainerOpened) for each in running)
    assert len(decoders.pool.pids()) == 3
    decoders.pool.close()


def test_there_is_a_child_for_each_core_that_can_be_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but two, two at least, no more than one device can use; a number that is set is taken."""
    counts = {}
    for cores in (1, 2, 3, 8, 64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        counts[cores] = decoder_processes(WhisperSettings())
        assert decoder_processes(WhisperSettings(decoder_processes=5)) == 5
    assert counts == {1: 2, 2: 2, 3: 2, 8: 6, 64: PROCESSES_LIMIT}


PARENT = """
import sys, time
from pathlib import Path
from models.media.pool import DecoderPool, DecodeJob
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.options import Lane
from schemas.clock import SystemClock
from schemas.settings import WhisperSettings

pool = DecoderPool(WhisperSettings(decoder_processes=1), clock=SystemClock())
job = DecodeJob(
    path=Path(sys.argv[1]), spool=FeatureSpool(mel_bands=80), split=False, vad=True, mel_bands=80,
    lane=Lane.BULK, on_event=lambda _: print(*pool.pids(), flush=True), cancelled=lambda: False,
)
pool.submit(job)
time.sleep(60)
"""


def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Even in the middle of a file."""
    command = [sys.executable, "-c", PARENT, str(long_recording(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    eventually(lambda: not _runs(pid), timeout_seconds=30, what="the orphan's end")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # the process that adopted it may not have reaped it
