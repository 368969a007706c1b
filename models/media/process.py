"""One decoding child process, from its parent's side: start, decode with a deadline, kill."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Final

from pydantic import ValidationError

from models import TELEMETRY_OFF
from models.media.messages import (
    ChildReady,
    DecodeFinished,
    DecodeRefused,
    DecodeRequest,
    Reply,
    ReplyParser,
    send_request,
)
from models.media.sandbox.parent import describe_missing
from models.media.sandbox.report import SandboxReport
from schemas.clock import Clock
from schemas.errors import ENGINE, DecoderCrashed, DependencyDown, JobCancelled
from schemas.settings import WhisperSettings

_POLL_SECONDS: Final = 0.1  # between checks for cancellation
_READ_BYTES: Final = 64 * 1024
_EXIT_SECONDS: Final = 5.0
_OUTPUT_CHARACTERS: Final = 500
START_SECONDS: Final = 120.0
"""Time for a child to import its libraries, on a busy machine."""


class SandboxIncomplete(DependencyDown):
    """The kernel does not enforce a protection, and the settings require all of them."""


class DecoderProcess:
    """A child that decodes one request after another. Used by one thread at a time.

    ``file_bytes``: the largest spool that it may write.
    """

    module: ClassVar = "models.media.child"

    def __init__(self, settings: WhisperSettings, *, file_bytes: int, clock: Clock) -> None:
        self._timeout_seconds = settings.decoder_timeout_seconds
        self._sandbox = settings.decoder_sandbox
        self._clock = clock
        # Packets keep a request and its descriptors together.
        self._requests, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with requests:
            try:
                self._process = _start(
                    [self.module, str(settings.decoder_memory_bytes), str(file_bytes), settings.decoder_sandbox],
                    requests,
                )
            except OSError:
                self._requests.close()
                raise
        self.requests = 0
        self.sandbox: SandboxReport | None = None
        """What the child reported of its sandbox; None until it is ready."""

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can take a request."""
        return self._process.poll() is None

    def wait_ready(self, *, cancelled: Callable[[], bool]) -> None:
        """Block until the child has started. Safe to repeat.

        Raises DependencyDown("engine"), with the child's output, when it cannot start: no file is at fault.
        Raises SandboxIncomplete where the settings require a sandbox that the kernel does not enforce, and
        JobCancelled. The child is dead after each of them.
        """
        if self.sandbox is not None:
            return
        try:
            reply = next(self._exchange(cancelled, START_SECONDS))
        except DecoderCrashed as error:
            raise DependencyDown(ENGINE, f"no decoder can be started: {error}") from error
        if not isinstance(reply, ChildReady):
            self.kill()
            raise DependencyDown(ENGINE, f"no decoder can be started: it began with {reply.kind}")
        if self._sandbox == "required" and reply.sandbox.missing:
            self.kill()
            raise SandboxIncomplete(ENGINE, f"no decoder can be started: {describe_missing(reply.sandbox)}")
        self.sandbox = reply.sandbox
        if self._process.stderr is not None:
            self._process.stderr.close()  # the child has closed its end

    def decode(
        self, request: DecodeRequest, recording: int, spool: int, *, cancelled: Callable[[], bool]
    ) -> Iterator[Reply]:
        """Yield the replies as they arrive; the last is DecodeFinished or DecodeRefused.

        ``recording`` and ``spool`` are open descriptors, and stay the caller's: the child has copies once the
        first reply has arrived.

        Raises DecoderCrashed when the child dies, sends nothing for longer than the timeout or sends invalid
        messages, and what ``wait_ready`` raises; the child is dead after each of them.
        """
        self.requests += 1
        self.wait_ready(cancelled=cancelled)
        yield from self._exchange(cancelled, self._timeout_seconds, (request, recording, spool))

    def _exchange(
        self,
        cancelled: Callable[[], bool],
        timeout_seconds: float,
        request: tuple[DecodeRequest, int, int] | None = None,
    ) -> Iterator[Reply]:
        """Send the request, if any, and yield the replies. Kill the child on any error."""
        try:
            if request is not None:
                send_request(self._requests, *request)
            yield from self._replies(cancelled, timeout_seconds)
        except (OSError, ValueError, ValidationError) as error:
            self.kill()
            raise DecoderCrashed(f"the decoder's answer cannot be read: {error}") from error
        except GeneratorExit:
            raise
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the child at once. Safe to repeat."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def close(self) -> None:
        """Let the child exit by itself; kill it after a timeout. Blocks for seconds at most; safe to repeat."""
        self._requests.close()
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._requests.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def _replies(self, cancelled: Callable[[], bool], timeout_seconds: float) -> Iterator[Reply]:
        if self._process.stdout is None:
            raise OSError("the child has no output")
        descriptor = self._process.stdout.fileno()
        parser = ReplyParser()
        received_at = self._clock.monotonic()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while True:
            if cancelled():
                raise JobCancelled("cancelled while decoding")
            if not poller.poll(_POLL_SECONDS * 1000):
                if self._clock.monotonic() - received_at > timeout_seconds:
                    raise DecoderCrashed(f"the decoder sent nothing for {timeout_seconds:g} seconds")
                continue
            received = os.read(descriptor, _READ_BYTES)
            if not received:
                raise DecoderCrashed(f"the decoder died ({self._exit_description()})")
            received_at = self._clock.monotonic()
            for reply in parser.feed(received):
                yield reply
                if isinstance(reply, DecodeFinished | DecodeRefused):
                    return

    def _exit_description(self) -> str:
        try:
            status = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "its output ended, but the process did not"
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if status == -signal.SIGSYS:
            how += ": a system call that the sandbox refuses"
        output = self._error_output()
        return f"{how}; its output: {output}" if output else how

    def _error_output(self) -> str:
        if self._process.stderr is None or self._process.stderr.closed:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)  # another process might hold the other end
        output = self._process.stderr.read() or b""
        return output.decode(errors="replace").strip()[-_OUTPUT_CHARACTERS:]


def _start(arguments: Sequence[str], requests: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # -P: a package called models in the working directory must not shadow this one.
        [sys.executable, "-P", "-m", *arguments],
        stdin=requests.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        bufsize=0,
        start_new_session=True,  # an interrupt at the terminal reaches the parent alone, which drains first
    )


def _environment() -> dict[str, str]:
    """Return only the variables that Python and its libraries need; credentials stay with the parent."""
    names = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH", *TELEMETRY_OFF)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
