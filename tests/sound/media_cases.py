"""Recordings that were damaged on their way, made on the spot from the self-test's clips.

Each function writes one file. ``DIGITS`` and ``COMMANDS`` are clips of about five seconds; ``three`` has the
digits at 0, 20 and 40 s.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from tests.sound.recordings import SAMPLE_RATE_HERTZ, Sound, read
from tests.support.listening import speech

DIGITS: Final = "en-digits.ogg"
COMMANDS: Final = "en-commands.ogg"
KOREAN: Final = "ko-digits.ogg"

Change = Callable[[int, Any], Any | None]
"""Maps a packet and its number to the packet to write: the same, another one, or None for a lost one."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Sound for one track: shape (samples,) or (channels, samples)."""

    sound: Sound
    codec: str
    rate_hertz: int = SAMPLE_RATE_HERTZ
    language: str = "und"

    @property
    def channels(self) -> Sound:
        """The samples, in the shape (channels, samples)."""
        return np.atleast_2d(self.sound)


def clip(name: str) -> Sound:
    """Read one of the self-test's clips."""
    return read(speech(name))


def silence(seconds: float) -> Sound:
    """Return silence of a length."""
    return np.zeros(round(seconds * SAMPLE_RATE_HERTZ), np.float32)


def three() -> Sound:
    """Return the digits at 0, 20 and 40 s."""
    digits = clip(DIGITS)
    padded = np.concatenate([digits, silence(20)])[: 20 * SAMPLE_RATE_HERTZ]
    return np.concatenate([padded, padded, digits])


def mux(
    path: Path,
    container: str,
    voices: Sequence[Voice],
    *,
    change: Change = lambda _, packet: packet,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode the voices as tracks side by side; ``change`` sees the packets of the first."""
    output: Any
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        streams = [
            output.add_stream(voice.codec, rate=voice.rate_hertz, layout=_layout(voice)) for voice in voices
        ]
        for stream, voice in zip(streams, voices, strict=True):
            stream.metadata["language"] = voice.language
        packets = [
            packet
            for stream, voice in zip(streams, voices, strict=True)
            for packet in _changed(_encoded(stream, voice), change if stream is streams[0] else None)
        ]
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        output.mux(packets)
    return path


def _layout(voice: Voice) -> str:
    return "mono" if len(voice.channels) == 1 else "stereo"


def _encoded(stream: Any, voice: Voice) -> Iterator[Any]:
    layout = _layout(voice)
    form = stream.codec_context.format
    resampler = av.AudioResampler(format=form, layout=layout, rate=voice.rate_hertz)
    packed = np.ascontiguousarray(voice.channels.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = SAMPLE_RATE_HERTZ
    frame.pts = 0
    fifo = av.AudioFifo()
    for resampled in (*resampler.resample(frame), *resampler.resample(None)):
        fifo.write(resampled)
    size = stream.codec_context.frame_size or 1_024
    at = 0
    while (block := fifo.read(size, partial=True)) is not None:
        block.pts, block.time_base = at, Fraction(1, voice.rate_hertz)
        at += block.samples
        yield from stream.encode(block)
    yield from stream.encode(None)


def _changed(packets: Iterator[Any], change: Change | None) -> Iterator[Any]:
    for number, packet in enumerate(packets):
        changed = packet if change is None else change(number, packet)
        if changed is not None:
            yield changed


def later(seconds: float, *, from_seconds: float = -1.0) -> Change:
    """Delay packets at or after a time; all of them if no time is given (a codec may begin before zero)."""

    def move(_: int, packet: Any) -> Any:
        if packet.pts * packet.time_base >= from_seconds:
            ticks = round(Fraction(seconds) / packet.time_base)
            packet.pts += ticks
            packet.dts += ticks
        return packet

    return move


def packet_loss(path: Path, *, container: str = "webm", codec: str = "libopus", every: int = 10) -> Path:
    """Write ``three`` with every tenth packet lost, the others' times kept."""
    voice = Voice(three(), codec, 48_000)
    return mux(path, container, [voice], change=lambda n, packet: None if n % every == every - 1 else packet)


def undecodable_beginning(path: Path) -> Path:
    """Write ``three`` as AAC in Matroska, with noise in place of the packets before 15 s."""

    def spoil(number: int, packet: Any) -> Any:
        return packet if packet.pts * packet.time_base >= 15 else spoiled(number, packet)

    return mux(path, "matroska", [Voice(three(), "aac")], change=spoil)


def spoiled(number: int, packet: Any) -> Any:
    """Replace a packet's payload by noise."""
    noise = av.Packet(random.Random(number).randbytes(packet.size))
    noise.stream, noise.time_base = packet.stream, packet.time_base
    noise.pts, noise.dts, noise.duration = packet.pts, packet.dts, packet.duration
    return noise


def clock_restart(path: Path) -> Path:
    """Write the commands at a clock of 5,000 s, then ``three`` at a new one (hole of 10 s at 25 s), in MPEG-TS."""
    first = mux(path.with_suffix(".first"), "mpegts", [Voice(clip(COMMANDS), "aac")], change=later(5_000))
    hole = later(10, from_seconds=25)
    return _joined(path, first, mux(path.with_suffix(".second"), "mpegts", [Voice(three(), "aac")], change=hole))


def clock_jump(path: Path, *, seconds: float = 5_000) -> Path:
    """Write the commands twice, the second time at a clock that jumps to 5,000 s, in MPEG-TS."""
    voice = Voice(clip(COMMANDS), "aac")
    first = mux(path.with_suffix(".first"), "mpegts", [voice])
    return _joined(path, first, mux(path.with_suffix(".second"), "mpegts", [voice], change=later(seconds)))


def zeroed(path: Path) -> Path:
    """Write the commands, 15 s of silence and the digits as Opus in WebM; zero a tenth of it in the middle."""
    sound = np.concatenate([clip(COMMANDS), silence(15), clip(DIGITS)])
    mux(path, "webm", [Voice(sound, "libopus", 48_000)])
    content = bytearray(path.read_bytes())
    first, end = len(content) * 45 // 100, len(content) * 55 // 100
    content[first:end] = bytes(end - first)
    path.write_bytes(content)
    return path


def chained(path: Path, *, first: str = "flac", second: str = "flac") -> Path:
    """Chain two Ogg streams of different shape: the digits in 16 kHz mono, the commands in 44.1 kHz stereo."""
    begin = mux(path.with_suffix(".first"), "ogg", [Voice(clip(DIGITS), first)])
    rate_hertz = 48_000 if second == "libopus" else 44_100
    voice = Voice(np.stack([clip(COMMANDS)] * 2), second, rate_hertz)
    return _joined(path, begin, mux(path.with_suffix(".second"), "ogg", [voice]))


def commands_and_korean(path: Path) -> Path:
    """Write the commands six times, then Korean digits twice."""
    sound = np.concatenate([clip(COMMANDS)] * 6 + [clip(KOREAN)] * 2)
    return mux(path, "ogg", [Voice(sound, "libopus", 48_000)])


def phase_inverted(path: Path) -> Path:
    """Write the digits on the left, and upside down on the right: their mean is silence."""
    digits = clip(DIGITS)
    return mux(path, "ogg", [Voice(np.stack([digits, -digits]), "libopus", 48_000)])


def late_clock(path: Path) -> Path:
    """Write ``three`` at a clock that begins at 36,000 s."""
    return mux(path, "matroska", [Voice(three(), "libopus", 48_000)], change=later(36_000))


def silent_first_track(path: Path) -> Path:
    """Write a track of silence, then one with the digits."""
    voices = [Voice(silence(5), "aac", language="kor"), Voice(clip(DIGITS), "aac", language="eng")]
    return mux(path, "mp4", voices)


def _joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def encrypted(path: Path, codec: str = "aac") -> Path:
    """Write the digits to an MP4 whose samples are encrypted, as streaming services do it (CENC)."""
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
    return mux(path, "mp4", [Voice(clip(DIGITS), codec, 48_000)], options=options)


def scrambled(path: Path) -> Path:
    """Write the digits to MPEG-TS with the sound's packets scrambled, as broadcasters do it."""
    content = bytearray(mux(path, "mpegts", [Voice(clip(DIGITS), "aac")]).read_bytes())
    noise = random.Random(1)
    for at in range(0, len(content) - 187, 188):
        if content[at + 1] & 0x01:  # a packet identifier from 0x100 on: sound
            content[at + 3] |= 0x80
            begins = at + 4 + (1 + content[at + 4] if content[at + 3] & 0x20 else 0)
            content[begins : at + 188] = noise.randbytes(at + 188 - begins)
    path.write_bytes(content)
    return path


def late_streams(path: Path) -> Path:
    """Write the digits to FLV, then tags of seven other codecs and a picture: each becomes its own stream."""
    content = mux(path, "flv", [Voice(clip(DIGITS), "aac")]).read_bytes()
    sounds = [flv_tag(8, bytes([codec << 4 | 0xF]) + bytes(64), 5_000) for codec in (0, 2, 3, 5, 6, 7, 11)]
    path.write_bytes(content + b"".join(sounds) + flv_tag(9, b"\x22" + bytes(50), 5_000))
    return path


def late_sound(path: Path, *, milliseconds: int = 40) -> Path:
    """Write seven megabytes of 120 pictures to FLV whose header names no sound, then the digits."""
    content = mux(path, "flv", [Voice(clip(DIGITS), "aac")]).read_bytes()
    header, body = content[:13], content[13:]
    body = body[int.from_bytes(body[1:4], "big") + 15 :]  # without its header and metadata
    pictures = b"".join(flv_tag(9, b"\x22" + bytes(60_000), number * milliseconds) for number in range(120))
    path.write_bytes(header[:4] + b"\x01" + header[5:] + pictures + body)
    return path


def flv_tag(kind: int, payload: bytes, milliseconds: int) -> bytes:
    """Build one tag of an FLV file."""
    size = len(payload)
    head = bytes([kind]) + size.to_bytes(3, "big") + milliseconds.to_bytes(3, "big") + bytes(4)
    return head + payload + (size + 11).to_bytes(4, "big")
