"""One decoding child as its parent sees it: start, ask, listen with a deadline, kill."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from pydantic import ValidationError

from models import SILENT
from models.media.messages import Finished, Ready, Refused, Reply, ReplyParser, Request
from schemas.errors import ENGINE, DecoderCrashed, DependencyDown, JobCancelled

_LOOK_SECONDS = 0.1  # between looks at whether the job was cancelled
_READ_BYTES = 64 * 1024
_END_SECONDS = 5.0
_LAST_WORDS_CHARACTERS = 500
START_SECONDS = 120.0
"""For a child to import its libraries, on a machine that does much else."""


class DecoderProcess:
    """A child that decodes one request after another. Used by one thread at a time."""

    def __init__(self, *, memory_bytes: int, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._process = subprocess.Popen(
            # -P: what happens to be called models in the working directory is not ours.
            [sys.executable, "-P", "-m", "models.media.child", str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            bufsize=0,
            start_new_session=True,  # an interrupt at the terminal drains the parent first
        )
        self.requests = 0
        self._ready = False

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take a request."""
        return self._process.poll() is None

    def wait_ready(self, *, cancelled: Callable[[], bool]) -> None:
        """Blocks until the child has started.

        Raises DependencyDown("engine") with what the child said when it cannot: no file is to blame for that.
        Raises JobCancelled too. The child is dead after either.
        """
        if self._ready:
            return
        try:
            reply = next(self._guarded(cancelled, START_SECONDS))
        except DecoderCrashed as failed:
            raise DependencyDown(ENGINE, f"no decoder can be started: {failed}") from failed
        if not isinstance(reply, Ready):
            self.kill()
            raise DependencyDown(ENGINE, f"no decoder can be started: it began with {reply.kind}")
        self._ready = True
        if self._process.stderr is not None:
            self._process.stderr.close()  # the child has let go of it

    def ask(self, request: Request, *, cancelled: Callable[[], bool]) -> Iterator[Reply]:
        """The replies, as they come; the last is Finished or Refused.

        Raises DecoderCrashed when the child dies, falls silent for longer than the timeout or talks
        nonsense, and what ``wait_ready`` raises; the child is dead after each of them.
        """
        self.requests += 1
        self.wait_ready(cancelled=cancelled)
        yield from self._guarded(cancelled, self._timeout_seconds, request)

    def _guarded(
        self, cancelled: Callable[[], bool], timeout_seconds: float, request: Request | None = None
    ) -> Iterator[Reply]:
        try:
            if request is not None:
                self._send(request)
            yield from self._replies(cancelled, timeout_seconds)
        except (OSError, ValueError, ValidationError) as failed:
            self.kill()
            raise DecoderCrashed(f"the decoder's answer cannot be read: {failed}") from failed
        except GeneratorExit:
            raise
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends it at once. Safe to repeat."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def close(self) -> None:
        """Lets it end by itself, then makes it. Blocks for seconds at most; safe to repeat."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def _send(self, request: Request) -> None:
        if self._process.stdin is None:
            raise OSError("the child has no input")
        # A request is shorter than a pipe holds, so this does not block on a child that hangs.
        self._process.stdin.write(request.model_dump_json().encode() + b"\n")

    def _replies(self, cancelled: Callable[[], bool], timeout_seconds: float) -> Iterator[Reply]:
        if self._process.stdout is None:
            raise OSError("the child has no output")
        descriptor = self._process.stdout.fileno()
        parser = ReplyParser()
        heard_at = time.monotonic()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while True:
            if cancelled():
                raise JobCancelled("cancelled while decoding")
            if not poller.poll(_LOOK_SECONDS * 1000):
                if time.monotonic() - heard_at > timeout_seconds:
                    raise DecoderCrashed(f"the decoder gave nothing for {timeout_seconds:g} seconds")
                continue
            received = os.read(descriptor, _READ_BYTES)
            if not received:
                raise DecoderCrashed(f"the decoder died ({self._epitaph()})")
            heard_at = time.monotonic()
            for reply in parser.feed(received):
                yield reply
                if isinstance(reply, Finished | Refused):
                    return

    def _epitaph(self) -> str:
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "its output ended, it did not"
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        said = self._last_words()
        return f"{how}; it said: {said}" if said else how

    def _last_words(self) -> str:
        if self._process.stderr is None or self._process.stderr.closed:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)  # should anything else hold its other end
        said = self._process.stderr.read() or b""
        return said.decode(errors="replace").strip()[-_LAST_WORDS_CHARACTERS:]


def _environment() -> dict[str, str]:
    """Only what Python and its libraries need; credentials stay with the parent."""
    names = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH", *SILENT)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
