"""Resampling of decoded frames to 16 kHz."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from models.media.decoding.downmix import Downmix
from models.media.decoding.timeline import TimedFrame
from models.media.speech.windows import SAMPLE_RATE_HERTZ
from schemas.errors import AudioTooLarge

Samples = NDArray[np.int16]

CHANNELS_LIMIT: Final = 64
"""No recorder writes more channels: beyond it the header is wrong."""
GROUP_BYTES: Final = 1024**2
"""Frames are resampled in groups of about this size: one by one costs five times as much."""
PLANES_LIMIT: Final = 8
"""PyAV (18) returns wrong planes of a frame beyond this number."""
SHORT_SILENCE_SECONDS: Final = 0.5
"""Silence up to this length, as lost packets leave it, is inserted between frames before resampling."""
SILENT_LEVELS: Final[dict[str, tuple[int, str]]] = {
    name + planar: (128 if name == "u8" else 0, kind)
    for name, kind in {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}.items()
    for planar in ("", "p")
}
"""The level of silence and the array type, for each sample format."""
SILENCE_SAMPLES: Final = 10 * SAMPLE_RATE_HERTZ
"""Limit of one piece of silence: a gap may be hours long."""


def resample(frames: Iterable[TimedFrame], *, split: bool, downmix: Downmix | None = None) -> Iterator[Samples]:
    """Yield pieces of shape (channels, samples) at 16 kHz: all channels of the frames with ``split``, else one.

    ``downmix`` is applied to every frame before mixing. The pieces include the frames' silence, so that later
    sound keeps its time. Raises AudioTooLarge for more channels than any recorder writes.
    """
    return _pieces(frames, split=split, downmix=downmix or Downmix())


@dataclass(frozen=True, slots=True)
class _Silence:
    seconds: float


def _pieces(frames: Iterable[TimedFrame], *, split: bool, downmix: Downmix) -> Iterator[Samples]:
    resampler: _Resampler | None = None
    shape: tuple[object, ...] = ()
    width = 1
    for group in _groups(frames):
        if isinstance(group, _Silence):
            yield from resampler.flush() if resampler else ()
            yield from _silence(group.seconds, width)
            resampler = None
            continue
        current = (group.format.name, group.layout.name, group.layout.nb_channels, group.sample_rate)
        if resampler is None or current != shape:  # a stream may change its rate or channels midway
            yield from resampler.flush() if resampler else ()
            resampler, shape = _Resampler(group, split=split), current
        for piece in resampler.samples(group if split else downmix.apply(group)):
            width = len(piece)
            yield piece
    yield from resampler.flush() if resampler else ()


def _silence(seconds: float, channels: int) -> Iterator[Samples]:
    left = round(seconds * SAMPLE_RATE_HERTZ)
    while left > 0:
        piece = np.zeros((channels, min(left, SILENCE_SAMPLES)), np.int16)
        left -= SILENCE_SAMPLES
        yield piece


class _Resampler:
    """Resampler for frames of one shape. Output is packed: PyAV (18) returns wrong planes from the eighth on."""

    def __init__(self, first: Any, *, split: bool) -> None:
        if first.layout.nb_channels > CHANNELS_LIMIT:
            raise AudioTooLarge(f"{first.layout.nb_channels} channels; the limit is {CHANNELS_LIMIT}")
        self._split = split
        self._every_channel = split or not _mixes(first)
        self._resampler = _resampler(first.layout if self._every_channel else "mono")

    def samples(self, frame: Any) -> Iterator[Samples]:
        """Yield the samples that are available with this frame."""
        return self._arrays(self._resampler.resample(frame))

    def flush(self) -> Iterator[Samples]:
        """Yield the samples that were held back."""
        return self._arrays(self._resampler.resample(None))

    def _arrays(self, frames: Iterable[Any]) -> Iterator[Samples]:
        for frame in frames:
            if frame is None:  # the flush of a resampler that had nothing to do
                continue
            channels = frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T
            yield channels if self._split or len(channels) == 1 else _mean(channels)


def _resampler(layout: Any) -> Any:
    return av.AudioResampler(format="s16", layout=layout, rate=SAMPLE_RATE_HERTZ)


def _mixes(frame: Any) -> bool:
    """Return whether FFmpeg can mix these channels: it cannot mix many channels without names."""
    try:
        _resampler("mono").resample(frame)
    except av.error.FFmpegError:
        return False
    return True


def _mean(channels: Samples) -> Samples:
    mean = np.mean(channels, axis=0, keepdims=True, dtype=np.float32)
    return np.rint(mean).astype(np.int16)


def _groups(frames: Iterable[TimedFrame]) -> Iterator[Any]:
    fifo = av.AudioFifo()
    shape: tuple[object, ...] = ()
    for timed in frames:
        frame = timed.frame
        frame.pts = None  # broken timestamps must not stop the decoding
        current = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        silent = _silent(frame, timed.silence_seconds) if current == shape else None
        if current != shape or (timed.silence_seconds and silent is None):
            if fifo.samples:
                yield fifo.read()
            fifo, shape = av.AudioFifo(), current
        if silent is not None:
            fifo.write(silent)
        elif timed.silence_seconds:
            yield _Silence(timed.silence_seconds)
        fifo.write(frame)
        if fifo.samples * frame.layout.nb_channels * frame.format.bytes >= GROUP_BYTES:
            yield fifo.read()
    if fifo.samples:
        yield fifo.read()


def _silent(like: Any, seconds: float) -> Any | None:
    """Return a short silence of the same shape, which needs no new resampler; None for none or a long one."""
    samples = round(seconds * like.sample_rate)
    if not 0 < seconds <= SHORT_SILENCE_SECONDS or samples == 0 or like.format.name not in SILENT_LEVELS:
        return None
    channels = like.layout.nb_channels
    if like.format.is_planar and channels > PLANES_LIMIT:
        return None
    shape = (channels, samples) if like.format.is_planar else (1, samples * channels)
    level, kind = SILENT_LEVELS[like.format.name]
    frame = av.AudioFrame.from_ndarray(np.full(shape, level, kind), format=like.format.name, layout=like.layout)
    frame.sample_rate = like.sample_rate
    return frame
