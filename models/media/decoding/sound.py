"""Decoding of any file that FFmpeg supports to samples at 16 kHz, block by block."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import av
import numpy as np

from models.media.decoding.chunks import read_outline
from models.media.decoding.containers import LONG_PROBE, Extent, open_container
from models.media.decoding.declared_length import (
    EXACT_LENGTH_CONTAINERS,
    SEAMLESS_CONTAINERS,
    DeclaredLength,
    declared_length,
    format_names,
)
from models.media.decoding.diagnosis import no_sound_error, undecodable_error
from models.media.decoding.downmix import Downmix
from models.media.decoding.links import find_links
from models.media.decoding.packets import PacketReader
from models.media.decoding.resampling import CHANNELS_LIMIT, Samples, resample
from models.media.decoding.timeline import (
    GAP_SECONDS_LIMIT,
    GAP_SECONDS_LIMIT_BROADCAST,
    TimedFrame,
    Timeline,
)
from models.media.decoding.tracks import Track, list_tracks, select_stream
from models.media.speech.windows import SAMPLE_RATE_HERTZ
from schemas.errors import AudioEmpty, AudioTooLarge, PermanentError

LATE_SECONDS_LIMIT: Final = 600.0
"""Sound may begin this much after the picture; a file that claims more is wrong."""
LINKS_SUMMED_LIMIT: Final = 100
"""Recordings in one file up to which their lengths are summed before the first is decoded."""
CLOCKS_RESTART: Final = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: a format in which another clock may begin midway."""


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """Facts from the container; ``declared_seconds`` (may be wrong) and ``is_exact`` as in DeclaredLength."""

    container: str
    codec: str
    channel_count: int
    sample_rate_hertz: int
    declared_seconds: float | None
    is_exact: bool
    track: int
    tracks: tuple[Track, ...]


@dataclass(slots=True)
class DecodeStats:
    """Statistics of the decoding. ``incomplete``: a loss of audio was detected."""

    decoded_seconds: float = 0.0
    silence_seconds: float = 0.0
    broken_packets: int = 0
    channel_count: int = 0
    incomplete: bool = False


class SoundReader:
    """Reader of the audio of one file. Raises AudioEmpty, AudioUndecodable, AudioTooLarge, InvalidOptions.

    ``source`` is a path, or a file that is open, which stays so. ``track`` is an index into its audio tracks; None
    takes the one that FFmpeg considers best. Close the reader, or use ``with``.
    """

    def __init__(self, source: Path | BinaryIO, *, split: bool, track: int | None = None) -> None:
        self._split = split
        self.downmix = Downmix()
        self._track = track
        self._file = source.open("rb") if isinstance(source, Path) else source
        self._owns_file = isinstance(source, Path)
        self._failed: PermanentError | None = None
        self._skipped_seconds = 0.0
        self.stats = DecodeStats()
        try:
            self._links = find_links(self._file, _size_bytes(self._file))
            self._container, self._stream = self._open(self._links[0])
            self.facts = self._read_facts()
        except BaseException:
            self._close_file()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the container, and the file if it was opened here. Safe to repeat."""
        self._container.close()
        self._close_file()

    def _close_file(self) -> None:
        if self._owns_file:
            self._file.close()

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Yield blocks of shape (channels, ``samples``) at 16 kHz (the last is shorter); one channel unless split.

        Later blocks have more channels where the recording does. Broken parts are skipped; a file without usable
        sound raises. ``stats`` is complete after the last block.
        """
        held: list[Samples] = []
        held_samples = 0
        has_sound = False
        late = self._late_samples()
        for piece in resample(self._frames(), split=self._split, downmix=self.downmix):
            if not has_sound and late:
                held, held_samples = [np.zeros((len(piece), late), np.int16)], late
            has_sound = True
            held.append(piece)
            held_samples += piece.shape[1]
            if held_samples >= samples:
                joined = _join(held)
                whole = held_samples - held_samples % samples
                yield from np.split(joined[:, :whole], whole // samples, axis=1)
                held, held_samples = [joined[:, whole:]], held_samples - whole
        if not has_sound:
            raise self._failed or no_sound_error(self._file)
        if held_samples:
            yield _join(held)

    def _open(self, link: Extent) -> tuple[Any, Any]:
        options = {"ignore_length": "1"} if read_outline(self._file, link).continues else {}
        container = open_container(self._file, link, options=options)
        if not container.streams.audio:
            container.close()
            container = open_container(self._file, link, options=LONG_PROBE)
        try:
            return container, select_stream(container, self._track)
        except BaseException:
            container.close()
            raise

    def _read_facts(self) -> SoundFacts:
        codec = self._stream.codec_context
        if codec.channels > CHANNELS_LIMIT:
            raise AudioTooLarge(f"{codec.channels} channels; the limit is {CHANNELS_LIMIT}")
        length = self._total_length()
        return SoundFacts(
            container=self._container.format.name,
            codec=codec.name,
            channel_count=max(1, codec.channels),
            sample_rate_hertz=codec.sample_rate or 0,
            declared_seconds=length.seconds,
            is_exact=length.is_exact,
            track=self._container.streams.audio.index(self._stream),
            tracks=list_tracks(self._container),
        )

    def _total_length(self) -> DeclaredLength:
        """Return the declared length of all links together; unknown where there are very many."""
        total = self._link_length(self._container, self._stream, self._links[0])
        if len(self._links) > LINKS_SUMMED_LIMIT:
            return DeclaredLength(None, is_exact=False)
        for link in self._links[1:]:
            try:
                container, stream = self._open(link)
            except PermanentError:
                continue  # counted when it is decoded
            with container:
                total += self._link_length(container, stream, link)
        return total

    def _link_length(self, container: Any, stream: Any, link: Extent) -> DeclaredLength:
        seconds = read_outline(self._file, link).declared_seconds
        if seconds is not None:
            return DeclaredLength(seconds, is_exact=True)
        return declared_length(container, stream, size_bytes=link.size_bytes)

    def _late_samples(self) -> int:
        """Return the samples of silence before the sound of a film that begins after the picture."""
        begins, first = self._stream.start_time, self._container.start_time
        if begins is None or first is None or self._stream.time_base is None:
            return 0
        seconds = float(begins * self._stream.time_base) - first / av.time_base
        return int(seconds * SAMPLE_RATE_HERTZ) if 0 < seconds <= LATE_SECONDS_LIMIT else 0

    def _frames(self) -> Iterator[TimedFrame]:
        """Yield the frames of all links; skip a link that cannot be read while others can."""
        hopeless = 0
        for number, link in enumerate(self._links):
            if number:
                self._container.close()
                try:
                    self._container, self._stream = self._open(link)
                except PermanentError:
                    self.stats.broken_packets += 1
                    self.stats.incomplete = True
                    continue
            reader = PacketReader(self._container, self._stream)
            yield from self._link_frames(reader)
            if reader.is_hopeless:
                hopeless += 1
                self._failed = undecodable_error(self._file, reader.broken_packets, reader.packets)
        if hopeless == len(self._links) and self._failed is not None:
            raise self._failed
        self.stats.incomplete |= self._falls_short()

    def _link_frames(self, reader: PacketReader) -> Iterator[TimedFrame]:
        container, stream = self._container, self._stream
        begins = None
        if stream.start_time is not None and stream.time_base is not None:
            begins = float(stream.start_time * stream.time_base)
        restarts = container.format.flags & CLOCKS_RESTART
        timeline = Timeline(begins, limit_seconds=GAP_SECONDS_LIMIT_BROADCAST if restarts else GAP_SECONDS_LIMIT)
        for timed in timeline.fill_gaps(reader.frames()):
            self.stats.channel_count = max(self.stats.channel_count, timed.frame.layout.nb_channels)
            yield timed
        names = format_names(container)
        lost = reader.lost_packets(may_be_cut=not names & EXACT_LENGTH_CONTAINERS)
        missing = timeline.silence_seconds if names & SEAMLESS_CONTAINERS else timeline.damaged_seconds
        self.stats.decoded_seconds += reader.decoded_seconds
        self.stats.silence_seconds += timeline.silence_seconds
        self._skipped_seconds += timeline.skipped_seconds
        self.stats.broken_packets += reader.broken_packets
        self.stats.incomplete |= lost > 0 or missing > 0

    def _falls_short(self) -> bool:
        outlines = [read_outline(self._file, link) for link in self._links]
        length = DeclaredLength(self.facts.declared_seconds, self.facts.is_exact)
        received_seconds = self.stats.decoded_seconds + self.stats.silence_seconds + self._skipped_seconds
        return length.falls_short(received_seconds) or any(
            each.continues or each.is_truncated for each in outlines
        )


def _size_bytes(file: BinaryIO) -> int:
    size_bytes = os.fstat(file.fileno()).st_size
    if size_bytes == 0:
        raise AudioEmpty("the object has no bytes")
    return size_bytes


def _join(pieces: list[Samples]) -> Samples:
    """Join pieces end to end; a channel that a piece lacks is silent there."""
    width = max(len(piece) for piece in pieces)
    return np.concatenate([np.pad(piece, ((0, width - len(piece)), (0, 0))) for piece in pieces], axis=1)
