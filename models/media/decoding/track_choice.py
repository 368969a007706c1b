"""Choice among several audio tracks: the first with speech."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

import numpy as np

from models.media.decoding.sound import SoundReader
from models.media.speech.packing import SpanFinder
from schemas.errors import PermanentError

TRACKS_TRIED_LIMIT: Final = 16
BLOCK_SAMPLES: Final = 320_000
"""Twenty seconds, as in ``child``."""


def speech_by_track(
    file: BinaryIO, find_speech: Callable[[], SpanFinder], *, limit_samples: int
) -> Iterator[tuple[int, bool]]:
    """Yield, track by track and block by block, the track and whether the block completed a span of speech.

    ``find_speech`` returns a new finder for each track. The main track comes first. Yields nothing for a file with
    one track. A track that cannot be decoded has no speech. Raises what ``SoundReader`` raises when the main track
    cannot be opened.
    """
    with SoundReader(file, split=False) as sound:
        main, count = sound.facts.track, len(sound.facts.tracks)
    if count == 1:
        return
    others = [track for track in range(count) if track != main]
    for track in [main, *others][:TRACKS_TRIED_LIMIT]:
        for has_speech in _speech_by_block(file, find_speech(), track, limit_samples):
            yield track, has_speech


def _speech_by_block(file: BinaryIO, finder: SpanFinder, track: int, limit_samples: int) -> Iterator[bool]:
    samples = 0
    try:
        with SoundReader(file, split=False, track=track) as sound:
            for block in sound.blocks(BLOCK_SAMPLES):
                yield bool(finder.feed(block[0].astype(np.float32) / 32768.0))
                samples += block.shape[1]
                if samples >= limit_samples:
                    return
    except PermanentError:
        return
    if samples:
        yield bool(finder.finish())
