"""One decoding child process, from its parent's side: start, decode with a deadline, kill."""

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

from pydantic import ValidationError

from models import TELEMETRY_OFF
from models.media.messages import ChildReady, DecodeFinished, DecodeRefused, DecodeRequest, Reply, ReplyParser
from schemas.clock import Clock
from schemas.errors import ENGINE, DecoderCrashed, DependencyDown, JobCancelled

_POLL_SECONDS: Final = 0.1  # between checks for cancellation
_READ_BYTES: Final = 64 * 1024
_EXIT_SECONDS: Final = 5.0
_OUTPUT_CHARACTERS: Final = 500
START_SECONDS: Final = 120.0
"""Time for a child to import its libraries, on a busy machine."""


class DecoderProcess:
    """A child that decodes one request after another. Used by one thread at a time."""

    def __init__(self, *, memory_bytes: int, timeout_seconds: float, clock: Clock) -> None:
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._process = subprocess.Popen(
            # -P: a package called models in the working directory must not shadow this one.
            [sys.executable, "-P", "-m", "models.media.child", str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            bufsize=0,
            start_new_session=True,  # an interrupt at the terminal reaches the parent alone, which drains first
        )
        self.requests = 0
        self._ready = False

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
        Raises JobCancelled too. The child is dead after either.
        """
        if self._ready:
            return
        try:
            reply = next(self._exchange(cancelled, START_SECONDS))
        except DecoderCrashed as error:
            raise DependencyDown(ENGINE, f"no decoder can be started: {error}") from error
        if not isinstance(reply, ChildReady):
            self.kill()
            raise DependencyDown(ENGINE, f"no decoder can be started: it began with {reply.kind}")
        self._ready = True
        if self._process.stderr is not None:
            self._process.stderr.close()  # the child has closed its end

    def decode(self, request: DecodeRequest, *, cancelled: Callable[[], bool]) -> Iterator[Reply]:
        """Yield the replies as they arrive; the last is DecodeFinished or DecodeRefused.

        Raises DecoderCrashed when the child dies, sends nothing for longer than the timeout or sends invalid
        messages, and what ``wait_ready`` raises; the child is dead after each of them.
        """
        self.requests += 1
        self.wait_ready(cancelled=cancelled)
        yield from self._exchange(cancelled, self._timeout_seconds, request)

    def _exchange(
        self, cancelled: Callable[[], bool], timeout_seconds: float, request: DecodeRequest | None = None
    ) -> Iterator[Reply]:
        """Send the request, if any, and yield the replies. Kill the child on any error."""
        try:
            if request is not None:
                self._send(request)
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
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def _send(self, request: DecodeRequest) -> None:
        if self._process.stdin is None:
            raise OSError("the child has no input")
        # A request is shorter than a pipe's buffer, so this does not block on a child that hangs.
        self._process.stdin.write(request.model_dump_json().encode() + b"\n")

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
        output = self._error_output()
        return f"{how}; its output: {output}" if output else how

    def _error_output(self) -> str:
        if self._process.stderr is None or self._process.stderr.closed:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)  # another process might hold the other end
        output = self._process.stderr.read() or b""
        return output.decode(errors="replace").strip()[-_OUTPUT_CHARACTERS:]


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
