"""A slice of the benchmark: one sound of each kind on the real model, and loops where voice detection is off."""

from pathlib import Path

import numpy as np
import pytest

from models.whisper.gate import COMPRESSION_RATIO_LIMIT
from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.transcripts.transcript import QualityFlag, TranscriptStatus
from tests.benchmarks.speech.silence import write_sounds
from tests.sound.recordings import FORMATS, write
from tests.sound.without_speech import KINDS, sound, sounds


def test_sounds_are_the_same_on_every_machine_and_in_range() -> None:
    """A number gives a kind, a length between 2 and 45 s, and the same samples each time."""
    made = list(sounds(2 * len(KINDS)))
    assert [name.partition("-")[2] for name, _ in made] == list(KINDS) * 2
    for name, samples in made:
        assert samples.dtype == np.float32
        assert 2 * 16_000 <= len(samples) <= 45 * 16_000
        assert float(np.abs(samples).max()) <= 0.9
        assert bool(np.any(samples)) == (not name.endswith("silence"))
    assert np.array_equal(made[5][1], sound("chords", 5))


@pytest.mark.timeout(600)
def test_no_word_is_invented_for_any_kind_of_sound(real_transcriber: Transcriber, tmp_path: Path) -> None:
    """Nobody speaks, so nothing is written."""
    texts = {
        name: real_transcriber.transcribe(path, TranscribeOptions())
        for name, path in write_sounds(tmp_path, len(KINDS))
    }
    assert {name: found.text for name, found in texts.items() if found.text} == {}
    assert {found.status for found in texts.values()} == {TranscriptStatus.NO_SPEECH}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "seed"), [("brown-noise", 17), ("pink-noise", 16)])
def test_a_loop_over_noise_is_not_published_whole(
    kind: str, seed: int, real_transcriber: Transcriber, tmp_path: Path
) -> None:
    """Without voice detection, in a language that base loops in: cut with a flag, or no text at all."""
    path = write(tmp_path / "noise.flac", sound(kind, seed), FORMATS["flac"])
    options = TranscribeOptions(vad=False, language="nn")
    for beam_size in (1, 5):
        found = real_transcriber.transcribe(path, options.model_copy(update={"beam_size": beam_size}))
        assert found.flags
        for segment in found.segments:
            assert (segment.compression_ratio or 0) <= COMPRESSION_RATIO_LIMIT
            assert segment.flags
        assert QualityFlag.RETRIED in found.flags or QualityFlag.SUPPRESSED_NO_SPEECH in found.flags
