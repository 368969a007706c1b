"""The model that is made on the spot: every window has the length and the language that were asked for."""

from pathlib import Path

import ctranslate2
import numpy as np
import pytest

from models.whisper.gate import Decoded, judge
from models.whisper.text.vocabulary import Vocabulary
from schemas.options import Task
from tests.gpu.bench.shaped_model import LENGTHS, SHAPES, make


@pytest.mark.parametrize("language", LENGTHS)
def test_every_window_has_the_length_and_the_language_asked_for(language: str, tmp_path: Path) -> None:
    """Whatever the sound: so a benchmark decodes as many tokens as real speech has."""
    shape = SHAPES["micro"]
    model = make(tmp_path / "model", shape, language=language, tokens=LENGTHS[language])
    whisper = ctranslate2.models.Whisper(str(model), device="cpu", compute_type="int8")
    vocabulary = Vocabulary(model, multilingual=True)
    sounds = np.random.default_rng(1).standard_normal((2, shape.mel_bands, 3_000), dtype=np.float32)
    encoded = whisper.encode(ctranslate2.StorageView.from_array(sounds))
    assert [found[0][0] for found in whisper.detect_language(encoded)] == [f"<|{language}|>"] * 2
    prompt = vocabulary.task_tokens(language=language, task=Task.TRANSCRIBE)
    for beam_size in (1, 5):
        results = whisper.generate(
            encoded, [list(prompt)] * 2, beam_size=beam_size, return_scores=True, return_no_speech_prob=True
        )
        assert [len(result.sequences_ids[0]) for result in results] == [LENGTHS[language]] * 2
    tokens = tuple(results[0].sequences_ids[0])
    decoded = Decoded(
        tokens=tokens,
        text=vocabulary.text(tokens),
        avg_logprob=results[0].scores[0],
        no_speech_prob=results[0].no_speech_prob,
        penalty=1.0,
        truncated=False,
    )
    assert judge((decoded,), searches_left=3, splittable=True).flags == ()


def test_the_shape_for_a_gpu_is_that_of_the_large_model() -> None:
    """800 million weights in 32 and 4 layers, 128 bands: what large-v3-turbo has."""
    shape = SHAPES["turbo"]
    assert (shape.width, shape.heads, shape.encoder_layers, shape.decoder_layers) == (1280, 20, 32, 4)
    assert shape.mel_bands == 128


def test_more_tokens_than_a_window_can_have_are_refused(tmp_path: Path) -> None:
    """A model that cannot be made is no model with fewer words."""
    with pytest.raises(ValueError, match="cannot have 2000 tokens"):
        make(tmp_path, SHAPES["micro"], language="en", tokens=2_000)
