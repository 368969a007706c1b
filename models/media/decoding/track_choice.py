"""Which of several sound tracks is worth hearing: the first with speech. Runs in a child only."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime

from models.media.decoding.sound import SoundReader
from models.media.speech.packing import SpeechSpans
from models.media.speech.silero import VoiceDetector
from schemas.errors import PermanentError

TRACKS_TRIED_LIMIT = 16
BLOCK_SAMPLES = 320_000
"""Twenty seconds, as the transcription takes them."""


def speech_by_track(
    path: Path, session: onnxruntime.InferenceSession, *, limit_samples: int
) -> Iterator[tuple[int, bool]]:
    """Track by track, block by block: the track, and whether this block has ended a stretch of speech in it.

    The main track comes first. Nothing for a file with one track, or whose main track cannot be opened. A track
    that cannot be decoded has no speech.
    """
    with SoundReader(path, split=False) as sound:
        main, count = sound.facts.track, len(sound.facts.tracks)
    if count == 1:
        return
    others = [track for track in range(count) if track != main]
    for track in [main, *others][:TRACKS_TRIED_LIMIT]:
        for heard in _blocks_heard(path, session, track, limit_samples):
            yield track, heard


def _blocks_heard(
    path: Path, session: onnxruntime.InferenceSession, track: int, limit_samples: int
) -> Iterator[bool]:
    finder = SpeechSpans(VoiceDetector(session))
    seen = 0
    try:
        with SoundReader(path, split=False, track=track) as sound:
            for block in sound.blocks(BLOCK_SAMPLES):
                yield bool(finder.feed(block[0].astype(np.float32) / 32768.0))
                seen += block.shape[1]
                if seen >= limit_samples:
                    return
    except PermanentError:
        return
    if seen:
        yield bool(finder.finish())
