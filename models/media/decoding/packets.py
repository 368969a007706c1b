"""From a container to decoded frames: what is broken is counted and left out. Runs in a child only."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import av

from models.media.decoding.encryption import ADVICE
from models.media.decoding.timeline import TimedFrame
from schemas.errors import AudioUndecodable

BROKEN_PACKETS_LIMIT = 1_000
"""Packets that may fail before one decodes."""
BROKEN_PACKETS_SHARE = 10
"""Broken ones for each that decodes; with more, what decodes is chance."""
UNREADABLE_LIMIT = 5
"""Failures to read in a row, after which the rest is given up."""
EDGE_PACKETS = 2
"""So many broken packets at an end of a recording are no loss."""


class PacketReader:
    """The frames of one stream, once. The counts are whole when the frames are."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container = container
        self._stream = stream
        self.broken_packets = 0
        self.good_packets = 0
        self.decoded_seconds = 0.0
        self._leading = 0  # broken before anything decoded
        self._trailing = 0  # broken since something decoded

    @property
    def packets(self) -> int:
        """What was tried so far."""
        return self.broken_packets + self.good_packets

    @property
    def hopeless(self) -> bool:
        """Whether what decoded, if anything did, decoded by chance."""
        return self.broken_packets > BROKEN_PACKETS_SHARE * self.good_packets

    def lost_packets(self, *, may_be_cut: bool) -> int:
        """Broken packets that matter: a tag at the end may look like sound, and what was cut out of a stream
        may begin in the middle of something.
        """
        edges = (self._leading, self._trailing) if may_be_cut else (self._trailing,)
        return self.broken_packets - sum(run for run in edges if run <= EDGE_PACKETS)

    def frames(self) -> Generator[TimedFrame]:
        """All that decode. Raises AudioUndecodable for encrypted packets, which could decode to noise."""
        suspect = False
        with _complaints() as complaints:
            for packet in self._packets():
                suspect = suspect or packet is None or bool(complaints) or packet.is_corrupt
                complaints.clear()
                for frame in self._decoded(packet):
                    yield TimedFrame(frame, suspect=suspect)
                    suspect = False
                suspect = suspect or self._trailing > 0
                complaints.clear()
                if self.broken_packets > BROKEN_PACKETS_LIMIT and not self.good_packets:
                    break

    def _packets(self) -> Iterator[Any]:
        """What the container gives; None stands for a part that it cannot read."""
        failures = 0  # in a row
        packets = self._container.demux(self._stream)
        while failures < UNREADABLE_LIMIT:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except IndexError:
                return  # PyAV (18) has no place for a stream that appears on the way, and says so at the end
            except (av.error.FFmpegError, OSError):
                failures += 1
                yield None
                packets = self._container.demux(self._stream)
                continue
            failures = 0
            yield packet
        last = av.Packet()  # makes the decoder give what it holds: a truncated file gives what it had
        last.stream = self._stream
        yield last

    def _decoded(self, packet: Any) -> Iterator[Any]:
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
def _complaints() -> Iterator[list[Any]]:
    """What FFmpeg says only in its log: what a demuxer skips on its way. Its log is off again afterwards."""
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as complaints:
            yield complaints
    finally:
        av.logging.set_level(None)
