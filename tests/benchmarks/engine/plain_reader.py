"""The sound that PyAV alone finds in a file, read in a process of its own: damaged files may crash it."""

import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import av

READ_SECONDS: Final = 120.0


class PlainReader:
    """A process that reads one file after the other, and is replaced when one has crashed it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = self._started()

    def seconds(self, path: Path) -> float:
        """Return the seconds of sound in a file, 0 when reading it crashes the process. Blocks."""
        with self._lock:
            try:
                return self._process.submit(plain_seconds, path).result(READ_SECONDS)
            except BrokenProcessPool:
                self._process = self._started()
                return 0.0

    def close(self) -> None:
        """End the process."""
        self._process.shutdown()

    @staticmethod
    def _started() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def plain_seconds(path: Path) -> float:
    """Return the seconds of sound that PyAV decodes, without broken packets."""
    seconds = 0.0
    container: Any
    with suppress(av.FFmpegError, IndexError, ValueError), av.open(str(path)) as container:
        for packet in container.demux(container.streams.audio[:1]):
            # A stream that appears late may take the place of another one, and be no sound.
            if packet.stream.type != "audio":
                continue
            with suppress(av.FFmpegError):
                seconds += sum(frame.samples / frame.sample_rate for frame in packet.decode() if frame.sample_rate)
    return seconds
