"""What is observed while files are transcribed."""

import threading
from pathlib import Path

from kascribe.commands.benchmarking.figures import Call, Observed, Transcribed
from schemas.clock import Clock


class Recorder:
    """Observes the engine and the decoders, and takes the files that are done. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started_at = 0.0
        self._calls: list[Call] = []
        self._decoder_seconds = 0.0
        self._files: list[Transcribed] = []

    def start(self) -> None:
        """Forget what was observed, and begin now."""
        with self._lock:
            self._started_at = self._clock.monotonic()
            self._calls, self._files, self._decoder_seconds = [], [], 0.0

    def observed(self) -> Observed:
        """Return what was observed from the start until now."""
        with self._lock:
            return Observed(
                started_at=self._started_at,
                ended_at=self._clock.monotonic(),
                calls=tuple(self._calls),
                decoder_seconds=self._decoder_seconds,
                files=tuple(self._files),
            )

    def add(self, transcribed: Transcribed) -> None:
        """Take a file that is done."""
        with self._lock:
            self._files.append(transcribed)

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:  # noqa: ARG002
        """See ``models.whisper.inference.observer.EngineObserver``."""
        with self._lock:
            self._calls.append(Call(self._clock.monotonic(), rows, queued_seconds, seconds))

    def on_file_begin(self, *, queued_seconds: float, reserved: bool) -> None:
        """See ``models.media.ports.DecoderObserver``."""

    def on_file_end(self, *, seconds: float, reserved: bool) -> None:
        """See ``models.media.ports.DecoderObserver``. The interactive lane's own decoder does not count."""
        with self._lock:
            if not reserved:
                self._decoder_seconds += seconds


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
