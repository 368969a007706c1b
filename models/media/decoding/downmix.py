"""Replacement of mixes that lose sound: of channels that cancel each other, or that FFmpeg omits (a film's LFE).

The decision is made per slice of half a second, before mixing: where the mix would be far below the loudest
channel, that channel replaces all of them. So nothing is buffered, and normal mixes keep every bit. One resampler
continues through a change, which happens where the mix is nearly silent and is faded. A channel the mix omits
counts only until the mixed channels have had sound: a film's rumble is not its speech.
"""

from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

SLICE_SECONDS: Final = 0.5
SHORTEST_SECONDS: Final = 0.05
"""Shorter slices decide nothing: any two channels cancel each other for a moment."""
FADE_SECONDS: Final = 0.01
CANCELLED_SHARE: Final = 0.03
"""Share of the power that the loudest channel alone would give the mix; below it, channels cancel each other."""
SOUND_SHARE: Final = 0.1
"""The same share, from which they no longer cancel each other."""
QUIET_POWER: Final = 1e-8
"""80 dB below full scale: quieter sound decides nothing."""
OMITTED_SHARE: Final = 1e-6
"""Mixed channels this far below an omitted one hold nothing but leakage from it."""

READABLE_PLANES: Final = 7
"""PyAV (18) returns wrong planes of a frame from the eighth on."""

_Channels = NDArray[np.float32]


class Downmix:
    """Downmix of one recording. ``replaced`` turns true when a mix would have lost a channel."""

    def __init__(self) -> None:
        self.replaced = False
        self._shape: tuple[object, ...] = ()
        self._gains: NDArray[np.float64] = np.ones(1)
        self._chosen: int | None = None
        self._before: int | None = None  # the choice at the end of the previous frame
        self._mix_had_sound = False

    def apply(self, frame: Any) -> Any:
        """Return the frame unchanged, or with one channel in place of all, in the same shape."""
        if frame.layout.nb_channels == 1:
            return frame
        shape = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if shape != self._shape:
            self._shape, self._gains = shape, mix_gains(frame)
            self._chosen = self._before = None
        channels = _channels(frame)
        count = max(1, int(channels.shape[1] / (SLICE_SECONDS * frame.sample_rate)))
        slices = np.array_split(channels, count, axis=1)
        choices = [self._choose(each, frame.sample_rate) for each in slices]
        if self._before is None and all(choice is None for choice in choices):
            return frame
        self.replaced = True
        fade_samples = int(FADE_SECONDS * frame.sample_rate)
        chosen = [self._fade(each, choice, fade_samples) for each, choice in zip(slices, choices, strict=True)]
        return _to_frame(np.concatenate(chosen, axis=1), like=frame)

    def _choose(self, channels: _Channels, rate: int) -> int | None:
        """Return the channel that replaces all in a slice; None keeps the mix."""
        if channels.shape[1] < SHORTEST_SECONDS * rate:
            return self._chosen
        products = (channels @ channels.T).astype(np.float64) / channels.shape[1]
        powers = products.diagonal()
        mixed = self._gains != 0
        loudest_mixed = float(powers[mixed].max(initial=0.0))
        omitted = np.where(mixed, 0.0, powers)
        if loudest_mixed > max(QUIET_POWER, OMITTED_SHARE * float(omitted.max())):
            self._mix_had_sound = True
            alone = np.square(self._gains) * powers
            self._choose_among_mixed(alone, float(self._gains @ products @ self._gains) / float(alone.max()))
        elif not self._mix_had_sound and omitted.max() > QUIET_POWER:
            self._chosen = int(omitted.argmax())
        return self._chosen

    def _choose_among_mixed(self, alone: NDArray[np.float64], share: float) -> None:
        """Update the choice, by each channel's power in the mix and the share that is left of the largest."""
        if share > SOUND_SHARE:
            self._chosen = None
        elif share < CANCELLED_SHARE and (self._chosen is None or alone[self._chosen] < SOUND_SHARE * alone.max()):
            self._chosen = int(alone.argmax())

    def _fade(self, channels: _Channels, choice: int | None, fade_samples: int) -> _Channels:
        after, before = _select(channels, choice), _select(channels, self._before)
        if choice == self._before:
            return after
        self._before = choice
        rising = np.ones(channels.shape[1], np.float32)
        rising[:fade_samples] = np.linspace(0, 1, fade_samples, dtype=np.float32)[: channels.shape[1]]
        return before + rising * (after - before)


def mix_gains(frame: Any) -> NDArray[np.float64]:
    """Return the share of each channel in FFmpeg's mix, summing to 1; equal shares where it cannot mix them."""
    count = frame.layout.nb_channels
    probe = av.AudioFrame.from_ndarray(
        np.eye(count, dtype=np.float32).reshape(1, -1), format="flt", layout=frame.layout
    )
    probe.sample_rate = frame.sample_rate
    try:
        mixed = av.AudioResampler(format="flt", layout="mono", rate=frame.sample_rate).resample(probe)
    except av.error.FFmpegError:
        return np.full(count, 1 / count)
    gains: NDArray[np.float64] = np.concatenate([each.to_ndarray()[0] for each in mixed]).astype(np.float64)
    gains /= np.abs(gains).sum()
    return gains


def _select(channels: _Channels, channel: int | None) -> _Channels:
    return channels if channel is None else np.broadcast_to(channels[channel], channels.shape)


def _channels(frame: Any) -> _Channels:
    """Return the samples, shape (channels, samples), full scale at 1."""
    count = frame.layout.nb_channels
    if frame.format.name == "fltp" and count <= READABLE_PLANES:
        planes: _Channels = frame.to_ndarray()
        return planes
    converter = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
    arrays = [each.to_ndarray() for each in converter.resample(frame)]
    return np.ascontiguousarray(np.concatenate(arrays, axis=1).reshape(-1, count).T)


def _to_frame(channels: _Channels, *, like: Any) -> Any:
    packed = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(channels.T).reshape(1, -1), format="flt", layout=like.layout
    )
    packed.sample_rate = like.sample_rate
    converter = av.AudioResampler(format=like.format, layout=like.layout, rate=like.sample_rate)
    (frame,) = converter.resample(packed)
    frame.pts = None
    return frame
