"""A decoder that hostile media has taken over reaches nothing: each attempt is made in a real child."""

import ctypes
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.media.files import open_files
from models.media.messages import DecodeRefused, DecodeRequest
from models.media.process import DecoderProcess
from models.media.sandbox.report import Protection
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.errors import DecoderCrashed
from schemas.settings import WhisperSettings
from tests.sound import taken_over

SPOOL_BYTES = 1024**2


class TakenOverProcess(DecoderProcess):
    """A child that obeys its recordings."""

    module = taken_over.__name__


class Hostile:
    """One such child; ``attempt`` returns what became of an attempt."""

    def __init__(self, sandbox: str, directory: Path) -> None:
        settings = WhisperSettings.model_validate({"decoder_sandbox": sandbox})
        self.child = TakenOverProcess(settings, file_bytes=SPOOL_BYTES, clock=SystemClock())
        self.directory = directory

    def attempt(self, *words: object) -> str:
        """Have the child attempt it."""
        recording = self.directory / "recording"
        recording.write_text(" ".join(map(str, ("attempt", *words))), encoding="utf-8")
        request = DecodeRequest(
            split=False, vad=False, mel_bands=80, audio_limit_seconds=60, spool_limit_bytes=SPOOL_BYTES
        )
        spool = FeatureSpool(mel_bands=80)
        try:
            with open_files(recording, spool) as files:
                (reply,) = self.child.decode(request, *files, cancelled=lambda: False)
        finally:
            spool.close()
        assert isinstance(reply, DecodeRefused)
        return reply.message


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """Start a child in the sandbox."""
    each = Hostile("available", tmp_path_factory.mktemp("hostile"))
    yield each
    each.child.kill()


@pytest.fixture
def free(tmp_path: Path) -> Iterator[Hostile]:
    """Start a child without a sandbox, where the attempts succeed."""
    each = Hostile("off", tmp_path)
    yield each
    each.child.kill()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("read_file /proc/PARENT/environ", "EACCES"),
        ("read_file /proc/PARENT/mem", "EACCES"),
        ("read_file /proc/self/environ", "EACCES"),
        ("read_file /etc/passwd", "EACCES"),
        ("list_files /", "EACCES"),
        ("write_file /tmp/kascribe-was-taken-over", "EACCES"),
        ("memory_file", "EPERM"),
        ("openat2 0 0 0 0", "ENOSYS"),
        ("open_by_handle_at 0 0 0", "EPERM"),
        ("ptrace 16 PARENT 0 0", "EPERM"),
        ("pidfd_open PARENT 0", "ENOSYS"),
        ("limit_parent", "EPERM"),
    ],
)
def test_files_and_the_parents_secrets_stay_closed(hostile: Hostile, words: str, answer: str) -> None:
    """Neither the environment with the bucket's key nor any other file is opened; no other process is examined."""
    assert hostile.attempt(*words.split()) == answer


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (f"make_socket {int(socket.AF_INET)} {int(socket.SOCK_STREAM)}", "EPERM"),
        (f"make_socket {int(socket.AF_INET)} {int(socket.SOCK_DGRAM)}", "EPERM"),
        (f"make_socket {int(socket.AF_INET6)} {int(socket.SOCK_STREAM)}", "EPERM"),
        (f"make_socket {int(socket.AF_INET)} {int(socket.SOCK_RAW)}", "EPERM"),
        (f"make_socket {int(socket.AF_UNIX)} {int(socket.SOCK_STREAM)}", "EPERM"),
        (f"make_socket {int(socket.AF_NETLINK)} {int(socket.SOCK_RAW)}", "EPERM"),
        (f"make_socket {taken_over.AF_VSOCK} {int(socket.SOCK_STREAM)}", "EPERM"),
        ("socket_pair", "EPERM"),
        ("connect_input /run/docker.sock", "EPERM"),
        ("push_input", "EPERM"),
    ],
)
def test_no_connection_is_made(hostile: Hostile, words: str, answer: str) -> None:
    """Of any family, not even with the socket by which requests arrive."""
    assert hostile.attempt(*words.split()) == answer


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("fork", "EPERM"),
        ("clone", "EPERM"),
        ("clone3 0 0", "ENOSYS"),
        ("execute", "EPERM"),
        ("execveat 0 0 0 0 0", "EPERM"),
        ("signal_parent", "EPERM"),
        ("tgkill PARENT PARENT 0", "EPERM"),
        ("rt_sigqueueinfo PARENT 0 0", "EPERM"),
        ("own_signals", "EPERM"),
    ],
)
def test_no_process_is_started_or_signalled(hostile: Hostile, words: str, answer: str) -> None:
    """Decoders of other records, and the parent, are out of reach."""
    assert hostile.attempt(*words.split()) == answer


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("mount 0 0 0 0 0", "EPERM"),
        ("keyctl 0 0 0", "EPERM"),
        ("add_key 0 0 0 0 0", "EPERM"),
        ("io_uring_setup 1 0", "ENOSYS"),
        ("bpf 0 0 0", "EPERM"),
        ("perf_event_open 0 0 0 0 0", "EPERM"),
        ("userfaultfd 0", "EPERM"),
        ("setns 0 0", "EPERM"),
        ("seccomp 0 0 0", "EPERM"),
        ("shmget 0 4096 0", "EPERM"),
        ("personality 0", "EPERM"),
        ("prctl 4 1", "EPERM"),
        ("x32_write 1 0 0", "ENOSYS"),
        ("new_namespaces", "EPERM"),
        ("change_root", "EPERM"),
        ("set_user", "EPERM"),
        ("map_code", "EPERM"),
        ("raise_limits", "not allowed to raise maximum limit"),
        ("open_many", "EMFILE"),
    ],
)
def test_the_kernel_is_not_asked_for_anything_else(hostile: Hostile, words: str, answer: str) -> None:
    """A gap in one of these would be the way out."""
    assert hostile.attempt(*words.split()) == answer


def test_memory_of_the_parent_is_not_read(hostile: Hostile, free: Hostile) -> None:
    """Without the sandbox it is."""
    secret = ctypes.create_string_buffer(b"a key of the bucket")
    words = ("read_memory", ctypes.addressof(secret), len(secret))
    assert free.attempt(*words) == f"done: {secret.raw.hex()}"
    assert hostile.attempt(*words) == "EPERM"


def test_the_attempts_succeed_without_the_sandbox(free: Hostile, tmp_path: Path) -> None:
    """So that a refusal above is the sandbox's doing."""
    environment = free.attempt("read_file", "/proc/PARENT/environ")
    assert bytes.fromhex(environment.removeprefix("done: ")).startswith(
        Path("/proc/self/environ").read_bytes()[:10]
    )
    assert free.attempt("make_socket", int(socket.AF_INET), int(socket.SOCK_STREAM)) == "done: None"
    assert free.attempt("write_file", tmp_path / "written") == "done: None"
    assert (tmp_path / "written").exists()
    for words in ("fork", "clone", "signal_parent", "limit_parent", "own_signals", "map_code", "personality 0"):
        assert free.attempt(*words.split()).startswith("done: "), words
    assert free.attempt("execute") == "ENOENT"
    assert free.child.sandbox is not None
    assert free.child.sandbox.missing == tuple(Protection)


def test_threads_may_still_start(hostile: Hostile) -> None:
    """FFmpeg decodes some formats on several."""
    assert hostile.attempt("start_thread") == "done: thread"


def test_everything_is_in_force_and_holds_for_all_threads(hostile: Hostile) -> None:
    """Landlock holds for the thread that asks for it: there is no other when it is installed."""
    hostile.attempt("start_thread")
    assert hostile.child.sandbox is not None
    assert hostile.child.sandbox.missing == ()
    assert hostile.child.sandbox.problems == ()
    status = Path(f"/proc/{hostile.child.pid}/status").read_text(encoding="utf-8")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status
    assert "Threads:\t1" in status
    limits = Path(f"/proc/{hostile.child.pid}/limits").read_text(encoding="utf-8")
    found = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert found["Max file size"] == [str(SPOOL_BYTES)] * 2
    assert found["Max open files"] == ["64"] * 2
    assert found["Max core file size"] == ["0"] * 2


def test_a_child_has_no_open_file_of_its_parent(hostile: Hostile, tmp_path: Path) -> None:
    """Pipes, the socket of requests, and nothing else once a file is done."""
    with (tmp_path / "secret").open("w", encoding="utf-8"):
        targets = [str(each.readlink()) for each in Path(f"/proc/{hostile.child.pid}/fd").iterdir()]
    assert not [each for each in targets if not each.startswith(("pipe:", "socket:", "/dev/null"))], targets


def test_a_child_that_aborts_fails_its_record_with_the_signal(tmp_path: Path) -> None:
    """A library that calls abort() can still end its process, and the parent sees why."""
    each = Hostile("available", tmp_path)
    with pytest.raises(DecoderCrashed, match=f"signal {int(signal.SIGABRT)}"):
        each.attempt("abort")
