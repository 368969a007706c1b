"""Decoding: any file that FFmpeg knows, to 16 kHz samples, block by block. Runs in a child only.

The file is handed to FFmpeg as a stream of bytes, so FFmpeg never sees a path; what a playlist names is refused
three times: such containers are not on the list, no protocol is allowed, and opening anything else fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from models.media.downmix import Downmix
from models.media.resampling import CHANNELS_LIMIT, Samples, resampled
from models.media.windows import SAMPLE_RATE_HERTZ
from schemas.errors import AudioEmpty, AudioTooLarge, AudioUndecodable

_REFUSED = (
    "concat dash ffmetadata hds hls imf lavfi rtp rtsp sap sdp tty webm_dash_manifest whip "
    "alsa fbdev kmsgrab oss video4linux2 v4l2 x11grab bin data image2 image2pipe txd "
    "aqtitle ass jacosub lrc microdvd mpl2 mpsub pjs realtext sami scc srt stl subviewer subviewer1 sup "
    "tedcaptions ttml vobsub vplayer webvtt"
)
REFUSED_CONTAINERS = frozenset(_REFUSED.split())
"""Containers that name other files or devices, or that find themselves in any text."""
READ_BYTES = 256 * 1024
LATE_SECONDS_LIMIT = 600.0
"""Sound may begin this much after the picture; a file that says more is not believed."""
BAD_PACKETS_LIMIT = 1_000
"""Packets that may fail before one decodes."""


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What the container says. ``declared_seconds`` may be a lie or None."""

    container: str
    codec: str
    channel_count: int
    sample_rate_hertz: int
    declared_seconds: float | None


def _refuse(*_: object) -> Any:
    raise PermissionError("audio may not open other files")


class SoundReader:
    """The sound of one file. Raises AudioEmpty, AudioUndecodable, AudioTooLarge; close it, or use ``with``."""

    def __init__(self, path: Path, *, split: bool) -> None:
        if path.stat().st_size == 0:
            raise AudioEmpty("the object has no bytes")
        self._split = split
        self.downmix = Downmix()
        self._file = path.open("rb")
        try:
            self._container = self._open()
            self._stream = self._best_stream()
            self.facts = self._read_facts()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file. Safe to repeat."""
        self._container.close()
        self._file.close()

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Blocks of shape (channels, ``samples``) at 16 kHz, the last one shorter; one channel unless split.

        What is broken is left out and what follows is decoded; nothing usable at all raises.
        """
        held: list[Samples] = []
        held_samples = 0
        anything = False
        late = self._late_samples()
        for piece in resampled(self._frames(), split=self._split, downmix=self.downmix):
            if not anything and late:
                held, held_samples = [np.zeros((len(piece), late), np.int16)], late
            anything = True
            held.append(piece)
            held_samples += piece.shape[1]
            if held_samples >= samples:
                joined = np.concatenate(held, axis=1)
                whole = held_samples - held_samples % samples
                yield from np.split(joined[:, :whole], whole // samples, axis=1)
                held, held_samples = [joined[:, whole:]], held_samples - whole
        if not anything:
            raise AudioEmpty("the audio stream has no samples")
        if held_samples:
            yield np.concatenate(held, axis=1)

    def _open(self) -> Any:
        allowed = sorted(
            name
            for name in av.formats_available
            if not REFUSED_CONTAINERS & set(name.split(",")) and not name.endswith("_pipe")
        )
        try:
            return av.open(
                _Bytes(self._file),
                mode="r",
                container_options={"format_whitelist": ",".join(allowed), "protocol_whitelist": "none"},
                metadata_errors="ignore",
                buffer_size=READ_BYTES,
                io_open=_refuse,
            )
        except (av.error.FFmpegError, OSError, ValueError) as failed:
            raise AudioUndecodable(f"not audio that FFmpeg can read: {_why(failed)}") from failed

    def _best_stream(self) -> Any:
        stream = self._container.streams.best("audio")
        if stream is None:
            raise AudioUndecodable("the file has no audio stream")
        if stream.codec_context is None:
            raise AudioUndecodable("the audio stream's codec is not known to FFmpeg")
        stream.codec_context.thread_count = 1
        for other in self._container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all  # a film's pictures need not be read
        return stream

    def _read_facts(self) -> SoundFacts:
        codec = self._stream.codec_context
        if codec.channels > CHANNELS_LIMIT:
            raise AudioTooLarge(f"{codec.channels} channels; the limit is {CHANNELS_LIMIT}")
        seconds = None
        if self._stream.duration and self._stream.time_base:
            seconds = float(self._stream.duration * self._stream.time_base)
        elif self._container.duration:
            seconds = self._container.duration / av.time_base
        return SoundFacts(
            container=self._container.format.name,
            codec=codec.name,
            channel_count=max(1, codec.channels),
            sample_rate_hertz=codec.sample_rate or 0,
            declared_seconds=seconds if seconds and seconds > 0 else None,
        )

    def _late_samples(self) -> int:
        """Silence that puts the sound where it belongs when it begins after the picture."""
        begins, first = self._stream.start_time, self._container.start_time
        if begins is None or first is None or self._stream.time_base is None:
            return 0
        seconds = float(begins * self._stream.time_base) - first / av.time_base
        return int(seconds * SAMPLE_RATE_HERTZ) if 0 < seconds <= LATE_SECONDS_LIMIT else 0

    def _frames(self) -> Iterator[Any]:
        bad = good = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.error.FFmpegError, OSError):
                bad += 1
                break  # the rest cannot be read: a truncated file gives what it had
            try:
                for frame in packet.decode():
                    good += 1
                    yield frame
            except (av.error.FFmpegError, ValueError):
                bad += 1
                if bad > BAD_PACKETS_LIMIT and good == 0:
                    break
        if bad and (good == 0 or bad > 10 * good):
            raise AudioUndecodable(f"{bad} of {bad + good} packets are broken; the file is damaged or not audio")


class _Bytes:
    """A file without its name, so that FFmpeg judges by content alone."""

    def __init__(self, file: Any) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def _why(failed: BaseException) -> str:
    return str(getattr(failed, "strerror", None) or repr(failed))
