"""Opening of containers.

FFmpeg receives the file as a stream of bytes and never sees a path. Files that a playlist names are refused at
three levels: such containers are not in the whitelist, no protocol is allowed, and opening any other file fails.
"""

import os
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import av

from models.media.decoding.diagnosis import unreadable_error

_REFUSED: Final = (
    "concat dash ffmetadata hds hls imf lavfi rtp rtsp sap sdp tty webm_dash_manifest whip "
    "alsa fbdev kmsgrab oss video4linux2 v4l2 x11grab bin data image2 image2pipe txd "
    "aqtitle ass jacosub lrc microdvd mpl2 mpsub pjs realtext sami scc srt stl subviewer subviewer1 sup "
    "tedcaptions ttml vobsub vplayer webvtt"
)
REFUSED_CONTAINERS: Final = frozenset(_REFUSED.split())
"""Containers that name other files or devices, or with a probe that accepts any text."""
READ_BYTES: Final = 256 * 1024
LONG_PROBE: Final = {"probesize": str(64 * 1024**2), "analyzeduration": str(120 * 1_000_000)}
"""Limits of what FFmpeg reads to find the streams, for a stream that begins long after the others."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes ``start`` to ``end`` (exclusive) of a file, to be read like a separate file."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """The number of bytes."""
        return self.end - self.start


def open_container(file: BinaryIO, extent: Extent, *, options: dict[str, str] | None = None) -> Any:
    """Open the bytes with FFmpeg. Raises AudioUndecodable or AudioEmpty when FFmpeg cannot."""
    allowed = sorted(
        name
        for name in av.formats_available
        if not REFUSED_CONTAINERS & set(name.split(",")) and not name.endswith("_pipe")
    )
    fixed = {
        "format_whitelist": ",".join(allowed),
        "protocol_whitelist": "none",
        # Otherwise a clock that restarts would count as one that overflowed, 26 hours later.
        "correct_ts_overflow": "0",
    }
    try:
        return av.open(
            _Bytes(file, extent),
            mode="r",
            container_options={**fixed, **(options or {})},
            metadata_errors="ignore",
            buffer_size=READ_BYTES,
            io_open=_refuse,
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise unreadable_error(file, str(getattr(error, "strerror", None) or repr(error))) from error


def _refuse(*_: object) -> Any:
    raise PermissionError("audio may not open other files")


class _Bytes:
    """File object over an extent, without a file name, so that FFmpeg detects the format by content alone."""

    def __init__(self, file: BinaryIO, extent: Extent) -> None:
        self._file = file
        self._extent = extent
        self._at = 0

    def read(self, size: int) -> bytes:
        """Read from the current position; empty at the end."""
        if self._at >= self._extent.size_bytes:
            return b""
        self._file.seek(self._extent.start + self._at)
        content = self._file.read(min(size, self._extent.size_bytes - self._at))
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position and return it."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._extent.size_bytes}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at
