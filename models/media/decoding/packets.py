"""Decoding of packets to frames: broken packets are counted and skipped."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import av

from models.media.decoding.encryption import ADVICE
from models.media.decoding.timeline import TimedFrame
from schemas.errors import AudioUndecodable

BROKEN_PACKETS_LIMIT: Final = 1_000
"""Packets that may fail before the first one decodes."""
BROKEN_PACKETS_SHARE: Final = 10
"""Broken packets per decoded one, above which decoding succeeds by chance only."""
UNREADABLE_LIMIT: Final = 5
"""Consecutive read failures after which the rest of the file is skipped."""
EDGE_PACKETS: Final = 2
"""Broken packets at an end of a recording that do not count as a loss."""


class PacketReader:
    """Frames of one stream, read once. The counts are complete after the last frame."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container = container
        self._stream = stream
        self.broken_packets = 0
        self.good_packets = 0
        self.decoded_seconds = 0.0
        self._leading = 0  # broken packets before the first decoded one
        self._trailing = 0  # broken packets since the last decoded one

    @property
    def packets(self) -> int:
        """Packets that were tried so far."""
        return self.broken_packets + self.good_packets

    @property
    def is_hopeless(self) -> bool:
        """Whether decoding failed, or succeeded by chance only."""
        return self.broken_packets > BROKEN_PACKETS_SHARE * self.good_packets

    def lost_packets(self, *, may_be_cut: bool) -> int:
        """Return the number of broken packets that are a loss.

        A few at the end are not: a tag there may look like sound. With ``may_be_cut``, neither are a few at the
        beginning: a recording cut out of a stream may start in the middle of a frame.
        """
        edges = (self._leading, self._trailing) if may_be_cut else (self._trailing,)
        return self.broken_packets - sum(run for run in edges if run <= EDGE_PACKETS)

    def frames(self) -> Generator[TimedFrame]:
        """Yield the frames that decode. Raises AudioUndecodable for encrypted packets, which may give noise."""
        suspect = False
        with _captured_warnings() as warnings:
            for packet in self._packets():
                suspect = suspect or packet is None or bool(warnings) or packet.is_corrupt
                warnings.clear()
                for frame in self._decode(packet):
                    yield TimedFrame(frame, suspect=suspect)
                    suspect = False
                suspect = suspect or self._trailing > 0
                warnings.clear()
                if self.broken_packets > BROKEN_PACKETS_LIMIT and not self.good_packets:
                    break

    def _packets(self) -> Iterator[Any]:
        """Yield the container's packets; None stands for a part that cannot be read."""
        failures = 0  # consecutive
        packets = self._container.demux(self._stream)
        while failures < UNREADABLE_LIMIT:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except IndexError:
                return  # PyAV (18) cannot represent a stream that appears midway, and raises this at the end
            except (av.error.FFmpegError, OSError):
                failures += 1
                yield None
                packets = self._container.demux(self._stream)
                continue
            failures = 0
            yield packet
        last = av.Packet()  # flushes the decoder, so that a truncated file gives all that it has
        last.stream = self._stream
        yield last

    def _decode(self, packet: Any) -> Iterator[Any]:
        if packet is None:
            self._count_broken()
            return
        if packet.has_sidedata("encryption_info"):
            raise AudioUndecodable(f"the audio cannot be decoded: {ADVICE}")
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            self._count_broken()
            return
        for frame in frames:
            self.good_packets += 1
            self._trailing = 0
            self.decoded_seconds += frame.samples / frame.sample_rate
            yield frame

    def _count_broken(self) -> None:
        self.broken_packets += 1
        if self.good_packets:
            self._trailing += 1
        else:
            self._leading += 1


@contextmanager
def _captured_warnings() -> Iterator[list[Any]]:
    """Capture FFmpeg's log, the only place where it reports what a demuxer skips; turn it off again afterwards."""
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as warnings:
            yield warnings
    finally:
        av.logging.set_level(None)
