"""Recordings without sound: what a decoder would send of them."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, cycle, pairwise
from typing import Final

from models.media.child import BLOCK_SAMPLES
from models.media.messages import ContainerOpened, DecodeFinished, DecodeProgress, Message, WindowReady, encode
from models.media.speech.windows import SAMPLE_RATE_HERTZ, WINDOW_FRAMES
from tests.benchmarks.simulation.costs import MEL_BANDS

SEED: Final = 20_261_127
DIFFERENT_RECORDINGS: Final = 400
SPAN_SECONDS: Final = 6.0
PACKED_SECONDS: Final = (26.0, 30.0)
"""The packer fills a window until the next span of speech does not fit."""
FRAMES_PER_SECOND: Final = 100


@dataclass(frozen=True)
class Recording:
    """A recording that is all speech. ``windows`` are their lengths in seconds."""

    windows: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """The length of the audio."""
        return sum(self.windows)

    @property
    def spool_bytes(self) -> int:
        """The size of its features."""
        return sum(_frames(seconds) for seconds in self.windows) * MEL_BANDS * 4

    @cached_property
    def replies(self) -> tuple[tuple[float, bytes], ...]:
        """The decoder's messages as they are sent, each with the seconds of audio that were decoded before it."""
        windows = zip(accumulate(self.windows), _messages(self.windows), strict=True)
        blocks = int(self.seconds * SAMPLE_RATE_HERTZ / BLOCK_SAMPLES)
        reached = (number * BLOCK_SAMPLES / SAMPLE_RATE_HERTZ for number in range(1, blocks + 1))
        sent: list[tuple[float, Message]] = [(at, DecodeProgress(decoded_seconds=at)) for at in reached]
        sent = sorted([*sent, *windows], key=lambda each: each[0])
        opened = ContainerOpened(
            container="mp3", codec="mp3", channel_count=1, sample_rate_hertz=44_100, declared_seconds=self.seconds
        )
        finished = DecodeFinished(
            audio_seconds=self.seconds,
            decoded_seconds=self.seconds,
            speech_seconds=self.seconds,
            decode_seconds=0.0,
            vad_seconds=0.0,
            features_seconds=0.0,
        )
        return tuple((at, encode(message)) for at, message in [(0.0, opened), *sent, (self.seconds, finished)])


def _frames(seconds: float) -> int:
    return min(WINDOW_FRAMES, round(seconds * FRAMES_PER_SECOND))


def _messages(windows: tuple[float, ...]) -> Iterator[WindowReady]:
    start, offset_bytes = 0, 0
    for seconds in windows:
        samples = _frames(seconds) * SAMPLE_RATE_HERTZ // FRAMES_PER_SECOND
        edges = [*range(start, start + samples, int(SPAN_SECONDS * SAMPLE_RATE_HERTZ)), start + samples]
        spans = tuple(pairwise(edges))
        yield WindowReady(channel=None, spans=spans, frames=_frames(seconds), offset_bytes=offset_bytes)
        start += samples
        offset_bytes += _frames(seconds) * MEL_BANDS * 4


def _packed(seconds: float, chance: random.Random) -> Recording:
    windows = []
    while seconds > 1:
        windows.append(round(min(seconds, chance.uniform(*PACKED_SECONDS)), 2))
        seconds -= windows[-1]
    return Recording(tuple(windows))


def _short(chance: random.Random) -> Recording:
    return _packed(chance.uniform(2, 15), chance)


def _mixed(chance: random.Random) -> Recording:
    """60 % clips of 2 to 15 s, 30 % of 1 to 3 minutes, 10 % of 10 minutes."""
    share = chance.random()
    if share < 0.6:
        return _short(chance)
    return _packed(chance.uniform(60, 180) if share < 0.9 else 600.0, chance)


LOADS: Final[Mapping[str, Callable[[random.Random], Recording]]] = {"mixed": _mixed, "short": _short}


def recordings(load: str, *, count: int = DIFFERENT_RECORDINGS) -> tuple[Recording, ...]:
    """Return recordings of a load, the same in every run."""
    chance = random.Random(SEED)
    return tuple(LOADS[load](chance) for _ in range(count))


def without_end(some: tuple[Recording, ...]) -> Iterator[Recording]:
    """Yield recordings for ever, with their messages ready: composing those is the work of other processes."""
    for recording in some:
        _ = recording.replies
    return cycle(some)
