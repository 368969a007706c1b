"""What is observed while files are transcribed."""

import threading
from pathlib import Path

from kascribe.commands.benchmarking.figures import Call, Observed, Transcribed
from models.media.sandbox.report import SandboxReport
from schemas.clock import Clock


class Recorder:
    """Observes the engine and the decoders, and takes the files that are done. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started_at = 0.0
        self._calls: list[Call] = []
        self._decoder_seconds = 0.0
        self._decoding_since: list[float] = []
        self._ended_at: float | None = None
        self._unfinished_audio_seconds = 0.0
        self._files: list[Transcribed] = []

    def start(self) -> None:
        """Forget what was observed, and begin now."""
        with self._lock:
            self._started_at = self._clock.monotonic()
            self._calls, self._files, self._decoder_seconds = [], [], 0.0
            self._decoding_since.clear()

    def end(self, *, unfinished_audio_seconds: float) -> None:
        """Leave out what begins from now on; take the audio that was heard of files that are not done."""
        with self._lock:
            self._ended_at = now = self._clock.monotonic()
            self._decoder_seconds += sum(now - since for since in self._decoding_since)
            self._unfinished_audio_seconds = unfinished_audio_seconds

    def observed(self) -> Observed:
        """Return what was observed from the start to the end, or until now. Calls may end after the end."""
        with self._lock:
            return Observed(
                started_at=self._started_at,
                ended_at=self._clock.monotonic() if self._ended_at is None else self._ended_at,
                calls=tuple(self._calls),
                decoder_seconds=self._decoder_seconds,
                files=tuple(self._files),
                unfinished_audio_seconds=self._unfinished_audio_seconds,
            )

    def add(self, transcribed: Transcribed) -> None:
        """Take a file that is done."""
        with self._lock:
            if self._ended_at is None:
                self._files.append(transcribed)

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:  # noqa: ARG002
        """See ``models.whisper.inference.observer.EngineObserver``."""
        with self._lock:
            now = self._clock.monotonic()
            if self._ended_at is None or now - seconds < self._ended_at:
                self._calls.append(Call(now, rows, queued_seconds, seconds))

    def on_file_begin(self, *, queued_seconds: float, reserved: bool) -> None:  # noqa: ARG002
        """See ``models.media.ports.DecoderObserver``. The interactive lane's own decoder does not count."""
        with self._lock:
            if not reserved:
                self._decoding_since.append(self._clock.monotonic())

    def on_file_end(self, *, seconds: float, reserved: bool) -> None:
        """See ``models.media.ports.DecoderObserver``."""
        with self._lock:
            if reserved:
                return
            if self._decoding_since:
                # Which of them ended is unknown: the one that began nearest to that time.
                began = self._clock.monotonic() - seconds
                self._decoding_since.remove(min(self._decoding_since, key=lambda since: abs(since - began)))
            if self._ended_at is None:
                self._decoder_seconds += seconds

    def on_sandbox(self, report: SandboxReport) -> None:
        """Do nothing: it does not change during a measurement."""


def memory_peak_bytes() -> int | None:
    """Return the most memory that this process and its children had, each at its time; None where unknown."""
    try:
        tasks = list(Path("/proc/self/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        return sum(map(_peak_bytes, ("self", *children))) or None
    except OSError:
        return None


def _peak_bytes(process: str) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
