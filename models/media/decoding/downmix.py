"""Channels that a mix would lose: those that cancel each other, and those that FFmpeg leaves out (a film's LFE).

Decided slice by slice of half a second, before the mix: the loudest channel takes the place of all where their mix
would be far below it. So nothing is held, what is mixed as usual keeps every bit, and the one resampler goes on
through a change, which falls where the mix is next to silent, and is faded. A channel that is left out counts only
until the others have been heard: a film's rumble is not its speech. Runs in a child only.
"""

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SLICE_SECONDS = 0.5
SHORTEST_SECONDS = 0.05
"""What is shorter decides nothing: any two channels cancel each other for a moment."""
FADE_SECONDS = 0.01
CANCELLED_SHARE = 0.03
"""Of the power that the loudest channel alone would give the mix: below it, the channels cancel each other."""
SOUND_SHARE = 0.1
"""From here on they no longer do."""
QUIET_POWER = 1e-8
"""80 dB below full scale: what is quieter decides nothing."""
LEFT_OUT_SHARE = 1e-6
"""Channels of the mix that are this far below one that it leaves out hold nothing but what leaked into them."""

READABLE_PLANES = 7
"""PyAV (18) gives the planes of a frame wrong from the eighth on."""

_Channels = NDArray[np.float32]


class Downmix:
    """Watches the channels of one recording. ``replaced`` turns true when a mix would have lost one."""

    def __init__(self) -> None:
        self.replaced = False
        self._shape: tuple[object, ...] = ()
        self._gains: NDArray[np.float64] = np.ones(1)
        self._chosen: int | None = None
        self._before: int | None = None  # what was chosen at the end of the frame before
        self._mix_heard = False

    def frame(self, frame: Any) -> Any:
        """The frame as it is, or with a channel in the place of those that would cancel it, in the same shape."""
        if frame.layout.nb_channels == 1:
            return frame
        shape = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if shape != self._shape:
            self._shape, self._gains = shape, mix_gains(frame)
            self._chosen = self._before = None
        channels = _channels(frame)
        count = max(1, int(channels.shape[1] / (SLICE_SECONDS * frame.sample_rate)))
        slices = np.array_split(channels, count, axis=1)
        choices = [self._choose(part, frame.sample_rate) for part in slices]
        if self._before is None and all(choice is None for choice in choices):
            return frame
        self.replaced = True
        fade_samples = int(FADE_SECONDS * frame.sample_rate)
        chosen = [self._faded(part, choice, fade_samples) for part, choice in zip(slices, choices, strict=True)]
        return _like(frame, np.concatenate(chosen, axis=1))

    def _choose(self, part: _Channels, rate: int) -> int | None:
        """The channel that replaces all in a slice; None leaves the mix as it is."""
        if part.shape[1] < SHORTEST_SECONDS * rate:
            return self._chosen
        products = (part @ part.T).astype(np.float64) / part.shape[1]
        powers = products.diagonal()
        mixed = self._gains != 0
        loudest_mixed = float(powers[mixed].max(initial=0.0))
        left_out = np.where(mixed, 0.0, powers)
        if loudest_mixed > max(QUIET_POWER, LEFT_OUT_SHARE * float(left_out.max())):
            self._mix_heard = True
            alone = np.square(self._gains) * powers
            self._choose_among_mixed(alone, float(self._gains @ products @ self._gains) / float(alone.max()))
        elif not self._mix_heard and left_out.max() > QUIET_POWER:
            self._chosen = int(left_out.argmax())
        return self._chosen

    def _choose_among_mixed(self, alone: NDArray[np.float64], share: float) -> None:
        """``alone`` has the power that each channel gives the mix, ``share`` what is left of the largest."""
        if share > SOUND_SHARE:
            self._chosen = None
        elif share < CANCELLED_SHARE and (self._chosen is None or alone[self._chosen] < SOUND_SHARE * alone.max()):
            self._chosen = int(alone.argmax())

    def _faded(self, part: _Channels, choice: int | None, fade_samples: int) -> _Channels:
        begins, before = _sounding(part, choice), _sounding(part, self._before)
        if choice == self._before:
            return begins
        self._before = choice
        rising = np.ones(part.shape[1], np.float32)
        rising[:fade_samples] = np.linspace(0, 1, fade_samples, dtype=np.float32)[: part.shape[1]]
        return before + rising * (begins - before)


def mix_gains(frame: Any) -> NDArray[np.float64]:
    """How much of each channel is in FFmpeg's mix, all together 1; even shares where it cannot mix them."""
    count = frame.layout.nb_channels
    probe = av.AudioFrame.from_ndarray(
        np.eye(count, dtype=np.float32).reshape(1, -1), format="flt", layout=frame.layout
    )
    probe.sample_rate = frame.sample_rate
    try:
        mixed = av.AudioResampler(format="flt", layout="mono", rate=frame.sample_rate).resample(probe)
    except av.error.FFmpegError:
        return np.full(count, 1 / count)
    gains: NDArray[np.float64] = np.concatenate([part.to_ndarray()[0] for part in mixed]).astype(np.float64)
    gains /= np.abs(gains).sum()
    return gains


def _sounding(part: _Channels, channel: int | None) -> _Channels:
    return part if channel is None else np.broadcast_to(part[channel], part.shape)


def _channels(frame: Any) -> _Channels:
    """Shape (channels, samples), full scale at 1."""
    count = frame.layout.nb_channels
    if frame.format.name == "fltp" and count <= READABLE_PLANES:
        planes: _Channels = frame.to_ndarray()
        return planes
    converter = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
    parts = [part.to_ndarray() for part in converter.resample(frame)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1).reshape(-1, count).T)


def _like(frame: Any, channels: _Channels) -> Any:
    packed = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(channels.T).reshape(1, -1), format="flt", layout=frame.layout
    )
    packed.sample_rate = frame.sample_rate
    converter = av.AudioResampler(format=frame.format, layout=frame.layout, rate=frame.sample_rate)
    (made,) = converter.resample(packed)
    made.pts = None
    return made
