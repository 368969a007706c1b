"""Log-mel features, equal bit for bit to those of faster-whisper's FeatureExtractor."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.media.speech.windows import FRAME_SAMPLES, SAMPLE_RATE_HERTZ, WINDOW_FRAMES

_FFT_SAMPLES: Final = 400
_SHORTEST_SAMPLES: Final = 400
"""Mirroring the edges needs at least half an FFT; shorter audio is padded with silence."""
_TOP_MEL: Final = 45.245640471924965
_MEL_HERTZ: Final = 200.0 / 3
_LOG_FROM_HERTZ: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27.0
_DYNAMIC_RANGE: Final = 8.0


def mel_filters(mel_bands: int) -> NDArray[np.float32]:
    """Compute Slaney's filters, shape (bands, FFT bins): linear below 1 kHz, logarithmic above, of equal area."""
    mels = np.linspace(0.0, _TOP_MEL, mel_bands + 2)
    log_from_mel = _LOG_FROM_HERTZ / _MEL_HERTZ
    hertz = np.where(
        mels >= log_from_mel,
        _LOG_FROM_HERTZ * np.exp(_LOG_STEP * (mels - log_from_mel)),
        _MEL_HERTZ * mels,
    )
    ramps = hertz[:, None] - np.fft.rfftfreq(_FFT_SAMPLES, 1.0 / SAMPLE_RATE_HERTZ)[None]
    widths = np.diff(hertz)[:, None]
    triangles = np.maximum(0.0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    areas = 2.0 / (hertz[2:] - hertz[:-2])
    return np.asarray(triangles * areas[:, None], np.float32)


class LogMel:
    """Extractor of features from samples. Keeps no state between calls."""

    def __init__(self, mel_bands: int) -> None:
        self._filters = mel_filters(mel_bands)
        self._taper = np.hanning(_FFT_SAMPLES + 1)[:-1].astype(np.float32)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute features, shape (bands, frames): a frame per 160 samples, not padded to a window."""
        frames = max(1, len(samples) // FRAME_SAMPLES)
        short = max(0, _SHORTEST_SAMPLES - len(samples))
        silence = np.pad(samples, (0, FRAME_SAMPLES + short))
        mirrored = np.pad(silence, _FFT_SAMPLES // 2, mode="reflect")
        slices = sliding_window_view(mirrored, _FFT_SAMPLES)[::FRAME_SAMPLES]
        spectrum = np.fft.rfft(slices * self._taper, axis=-1).T.astype(np.complex64)
        power = np.abs(spectrum[:, :-1]) ** 2
        log = np.log10(np.clip(self._filters @ power, 1e-10, None))
        log = np.maximum(log, log.max() - _DYNAMIC_RANGE)
        return np.asarray((log + 4.0) / 4.0, np.float32)[:, : min(frames, WINDOW_FRAMES)]
