"""Opening a container. Runs in a child only.

The file is handed to FFmpeg as a stream of bytes, so FFmpeg never sees a path; what a playlist names is refused
three times: such containers are not on the list, no protocol is allowed, and opening anything else fails.
"""

import os
from dataclasses import dataclass
from typing import Any, BinaryIO

import av

from models.media.decoding.diagnosis import unreadable

_REFUSED = (
    "concat dash ffmetadata hds hls imf lavfi rtp rtsp sap sdp tty webm_dash_manifest whip "
    "alsa fbdev kmsgrab oss video4linux2 v4l2 x11grab bin data image2 image2pipe txd "
    "aqtitle ass jacosub lrc microdvd mpl2 mpsub pjs realtext sami scc srt stl subviewer subviewer1 sup "
    "tedcaptions ttml vobsub vplayer webvtt"
)
REFUSED_CONTAINERS = frozenset(_REFUSED.split())
"""Containers that name other files or devices, or that find themselves in any text."""
READ_BYTES = 256 * 1024
LONG_PROBE = {"probesize": str(64 * 1024**2), "analyzeduration": str(120 * 1_000_000)}
"""For a stream that begins long after the others: how much FFmpeg reads before it says what there is."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes ``start`` to ``end`` (not included) of a file, to be read as a file of their own."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return self.end - self.start


def opened(file: BinaryIO, extent: Extent, *, options: dict[str, str] | None = None) -> Any:
    """FFmpeg's view of those bytes. Raises AudioUndecodable or AudioEmpty where it has none."""
    allowed = sorted(
        name
        for name in av.formats_available
        if not REFUSED_CONTAINERS & set(name.split(",")) and not name.endswith("_pipe")
    )
    fixed = {
        "format_whitelist": ",".join(allowed),
        "protocol_whitelist": "none",
        # A clock that begins again would count as one that ran over, 26 hours later.
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
    except (av.error.FFmpegError, OSError, ValueError) as failed:
        raise unreadable(file, str(getattr(failed, "strerror", None) or repr(failed))) from failed


def _refuse(*_: object) -> Any:
    raise PermissionError("audio may not open other files")


class _Bytes:
    """A part of a file, without the file's name, so that FFmpeg judges by content alone."""

    def __init__(self, file: BinaryIO, extent: Extent) -> None:
        self._file = file
        self._extent = extent
        self._at = 0

    def read(self, size: int) -> bytes:
        """Bytes from where it stands; none at the end."""
        if self._at >= self._extent.size_bytes:
            return b""
        self._file.seek(self._extent.start + self._at)
        content = self._file.read(min(size, self._extent.size_bytes - self._at))
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves; returns where to."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._extent.size_bytes}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at
