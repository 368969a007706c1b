"""Recordings in many formats, made on the spot from one sound: what people drop into buckets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
SAMPLE_RATE_HERTZ: Final = 16_000


@dataclass(frozen=True, slots=True)
class Format:
    """A container and a codec. ``video`` adds a picture stream, as a phone's camera would."""

    suffix: str
    codec: str
    container: str
    rate_hertz: int = SAMPLE_RATE_HERTZ
    layout: str = "mono"
    video: bool = False


FORMATS: Final[dict[str, Format]] = {
    "wav, 8 kHz stereo": Format("wav", "pcm_s16le", "wav", rate_hertz=8_000, layout="stereo"),
    "flac": Format("flac", "flac", "flac"),
    "mp3": Format("mp3", "libmp3lame", "mp3", rate_hertz=44_100, layout="stereo"),
    "m4a": Format("m4a", "aac", "ipod", rate_hertz=44_100),
    "ogg/opus": Format("ogg", "libopus", "ogg", rate_hertz=48_000),
    "webm": Format("webm", "libopus", "webm", rate_hertz=48_000),
    "mp4 video": Format("mp4", "aac", "mp4", rate_hertz=44_100, layout="stereo", video=True),
    "aac": Format("aac", "aac", "adts", rate_hertz=44_100),
}


def read(path: Path) -> Sound:
    """Read a recording as 16 kHz mono."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HERTZ)
    blocks = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            blocks += [block.to_ndarray()[0] for block in resampler.resample(frame)]
    blocks += [block.to_ndarray()[0] for block in resampler.resample(None)]
    return np.concatenate(blocks).astype(np.float32)


def write(path: Path, sound: Sound, form: Format) -> Path:
    """Encode a 16 kHz mono sound and return ``path``."""
    container: Any
    with av.open(str(path), "w", format=form.container) as container:
        picture = _picture_stream(container) if form.video else None
        stream = container.add_stream(form.codec, rate=form.rate_hertz, layout=form.layout)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=form.layout, rate=form.rate_hertz)
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis, :], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HERTZ
        frame.pts = 0
        fifo = av.AudioFifo()
        for resampled in (*resampler.resample(frame), *resampler.resample(None)):
            fifo.write(resampled)
        size = stream.codec_context.frame_size or 1024
        while (block := fifo.read(size, partial=True)) is not None:
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
        if picture is not None:
            _write_pictures(container, picture, seconds=len(sound) / SAMPLE_RATE_HERTZ)
    return path


def _picture_stream(container: Any) -> Any:
    stream = container.add_stream("mpeg4", rate=5)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _write_pictures(container: Any, stream: Any, *, seconds: float) -> None:
    for index in range(int(seconds * 5) + 1):
        picture = np.full((48, 64, 3), index * 3 % 255, dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode(None))
