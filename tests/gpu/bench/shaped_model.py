"""A Whisper-shaped model with random weights, made with numpy alone, whose every window has the same length.

Speed depends on shapes and on the number of decoded tokens, not on what the weights have learned. The real large
model is 1.6 GB, which a machine without a network cannot fetch; this one is written there in seconds.

The position encodings decide the text. Each decoder position has a random direction, and the embedding of one
token points the same way, so that this token has nearly all the probability there: the first position finds the
language, the following ones find words, and all from ``tokens`` words on find the end of the text. The layers run
in full, but add too little to change that. A window's text is therefore as probable as real speech, and the
quality gate asks for no second search.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ctranslate2.specs import whisper_spec
from numpy.typing import NDArray

Weights = NDArray[np.float16]

TOKENIZER: Final = Path(__file__).parents[3] / "models" / "selftest" / "weights"
"""The self-test model's tokenizer: Whisper's, without the merges that few words need."""
LENGTHS: Final = {"en": 90, "ko": 150}
"""Tokens of a dense window of 30 s, by language: English 79 to 105, Korean 135 to 176."""
PROMPT_TOKENS: Final = 4
"""Start, language, task, no timestamps. The last of them finds the first word."""
LOGIT: Final = 35.0
"""Far above the logarithm of the vocabulary's size, so that one token has nearly all the probability."""
CONTEXT_TOKENS: Final = 448
ENCODER_POSITIONS: Final = 1_500
END_OF_TEXT: Final = "<|endoftext|>"
_WORD: Final = re.compile("(\u0120|~)?[a-z]+")
"""Letters behind a space, or in the place of a merge that the self-test's tokenizer does without."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Whisper model."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mel_bands: int


SHAPES: Final = {
    "micro": Shape(128, 2, 1, 1, 80),
    "tiny": Shape(384, 6, 4, 4, 80),
    "turbo": Shape(1280, 20, 32, 4, 128),
}
"""``turbo`` is large-v3-turbo's; the others show on a CPU that the benchmark runs."""


def make(directory: Path, shape: Shape, *, language: str, tokens: int) -> Path:
    """Write a model in CTranslate2's format, float16, and return the directory. Takes seconds.

    Every window is in ``language`` and has exactly ``tokens`` tokens, whatever the sound, with the prompt that
    has neither timestamps nor earlier text. Raises ValueError when a window cannot have so many tokens.
    """
    vocabulary = json.loads((TOKENIZER / "vocabulary.json").read_text(encoding="utf-8"))
    random = _Random(shape.width)
    spec = whisper_spec.WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill_encoder(spec.encoder, shape, random)
    _fill_decoder(spec.decoder, random, _script(vocabulary, language, tokens), vocabulary_size=len(vocabulary))
    spec.register_vocabulary(vocabulary)
    config = json.loads((TOKENIZER / "config.json").read_text(encoding="utf-8"))
    for name in ("suppress_ids", "suppress_ids_begin", "lang_ids"):
        setattr(spec.config, name, config[name])
    layers = range(shape.decoder_layers // 2, shape.decoder_layers)
    spec.config.alignment_heads = [[layer, head] for layer in layers for head in range(min(3, shape.heads))]
    spec.validate()
    spec.optimize()
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
    shutil.copy(TOKENIZER / "tokenizer.json", directory)
    preprocessor = json.loads((TOKENIZER / "preprocessor_config.json").read_text(encoding="utf-8"))
    preprocessor["feature_size"] = shape.mel_bands
    (directory / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
    return directory


class _Random:
    """Random weights, cut from few pools: drawing or scaling 800 million numbers would take half a minute."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.generator = np.random.default_rng(0)
        self._pool = self.generator.standard_normal(1 << 22, dtype=np.float32)
        self._scaled: dict[float, Weights] = {}

    def weights(self, *shape: int, scale: float | None = None) -> Weights:
        """Return weights that keep the size of what they multiply, or have the scale given."""
        factor = float(0.5 / np.sqrt(shape[-1])) if scale is None else scale
        if factor not in self._scaled:
            self._scaled[factor] = (self._pool * np.float32(factor)).astype(np.float16)
        first = int(self.generator.integers(0, len(self._pool) // 4))
        return np.resize(self._scaled[factor][first:], shape)

    def directions(self, count: int) -> NDArray[np.float32]:
        """Return vectors of the model's width, with components of about one."""
        return self.generator.standard_normal((count, self.width), dtype=np.float32)


def _script(vocabulary: list[str], language: str, tokens: int) -> dict[int, int]:
    """Return the token that each decoder position finds: the language, words, and the end after them."""
    words = [index for index, token in enumerate(vocabulary) if _WORD.fullmatch(token)]
    limit = min(len(words), CONTEXT_TOKENS // 2)  # CTranslate2 decodes at most half the context
    if tokens > limit:
        raise ValueError(f"a window cannot have {tokens} tokens, but {limit} at most")
    found = dict(enumerate(words[:tokens], start=PROMPT_TOKENS - 1))
    return {
        0: vocabulary.index(f"<|{language}|>"),
        **found,
        PROMPT_TOKENS - 1 + tokens: vocabulary.index(END_OF_TEXT),
    }


def _fill_encoder(encoder: Any, shape: Shape, random: _Random) -> None:
    width = random.width
    encoder.conv1.weight, encoder.conv1.bias = random.weights(width, shape.mel_bands, 3, scale=0.05), _zeros(width)
    encoder.conv2.weight, encoder.conv2.bias = random.weights(width, width, 3, scale=0.02), _zeros(width)
    encoder.position_encodings.encodings = random.weights(ENCODER_POSITIONS, width, scale=0.1)
    _fill_norm(encoder.layer_norm, width)
    for layer in encoder.layer:
        _fill_attention(layer.self_attention, random, across=False)
        _fill_feed_forward(layer.ffn, random)


def _fill_decoder(decoder: Any, random: _Random, script: dict[int, int], *, vocabulary_size: int) -> None:
    positions = random.directions(CONTEXT_TOKENS)
    positions[max(script) :] = positions[max(script)]
    embeddings = random.weights(vocabulary_size, random.width, scale=0.02)
    for position, token in script.items():
        direction = positions[position] / np.linalg.norm(positions[position])
        embeddings[token] = (direction * LOGIT / np.sqrt(random.width)).astype(np.float16)
    decoder.embeddings.weight = decoder.projection.weight = embeddings
    decoder.position_encodings.encodings = positions.astype(np.float16)
    _fill_norm(decoder.layer_norm, random.width)
    for layer in decoder.layer:
        _fill_attention(layer.self_attention, random, across=False)
        _fill_attention(layer.attention, random, across=True)
        _fill_feed_forward(layer.ffn, random)


def _fill_attention(attention: Any, random: _Random, *, across: bool) -> None:
    width = random.width
    _fill_norm(attention.layer_norm, width)
    outputs = (width, 2 * width, width) if across else (3 * width, width)
    for linear, output in zip(attention.linear, outputs, strict=True):
        _fill_linear(linear, random, output, width, quiet=linear is attention.linear[-1])


def _fill_feed_forward(feed_forward: Any, random: _Random) -> None:
    width = random.width
    _fill_norm(feed_forward.layer_norm, width)
    _fill_linear(feed_forward.linear_0, random, 4 * width, width)
    _fill_linear(feed_forward.linear_1, random, width, 4 * width, quiet=True)


def _fill_linear(linear: Any, random: _Random, outputs: int, inputs: int, *, quiet: bool = False) -> None:
    """``quiet``: what a layer adds stays small beside the position, which decides the token."""
    linear.weight = random.weights(outputs, inputs, scale=0.02 / np.sqrt(inputs) if quiet else None)
    linear.bias = _zeros(outputs)


def _fill_norm(norm: Any, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, np.float16), _zeros(width)


def _zeros(width: int) -> Weights:
    return np.zeros(width, np.float16)
