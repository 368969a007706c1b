"""A model with random weights that decodes a fixed number of tokens from every window, whatever is said.

Real text has another length with every system and option. With this model all systems do the same work, so that
their times compare exactly.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray

from models.selftest import path as selftest_directory
from models.selftest import vocabulary as v
from models.selftest.convert import sinusoids, vocabulary_tokens
from models.selftest.tokens import text_vocabulary

Array = NDArray[np.float32]

CONTEXT_TOKENS: Final = 448
SIGNAL: Final = 8.0
"""Size of the position encodings: far above that of tokens and layers, so the position alone decides the token."""
QUIET: Final = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of an encoder-decoder."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mel_bands: int = v.MEL_BINS


SHAPES: Final = {
    "micro": Shape(64, 1, 1, 1),
    "tiny": Shape(384, 6, 4, 4),
    "base": Shape(512, 8, 6, 6),
    "turbo": Shape(1_280, 20, 32, 4, mel_bands=128),
}


def write_model(directory: Path, shape: Shape, *, tokens: int, quantization: str = "int8") -> Path:
    """Write the CTranslate2 directory of a model of which every window has so many tokens of text. Return it."""
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    weights = _Weights(shape.width)
    weights.fill_encoder(spec.encoder, shape.mel_bands)
    weights.fill_decoder(spec.decoder, _scripted(tokens))
    spec.register_vocabulary(vocabulary_tokens())
    selftest = selftest_directory()
    config = json.loads((selftest / "config.json").read_text(encoding="utf-8"))
    spec.config.suppress_ids = config["suppress_ids"]
    spec.config.suppress_ids_begin = config["suppress_ids_begin"]
    spec.config.lang_ids = config["lang_ids"]
    spec.config.alignment_heads = [(shape.decoder_layers - 1, head) for head in range(shape.heads)]
    spec.validate()
    spec.optimize(quantization=quantization)
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
    shutil.copy(selftest / "tokenizer.json", directory)
    preprocessor = json.loads((selftest / "preprocessor_config.json").read_text(encoding="utf-8"))
    preprocessor["feature_size"] = shape.mel_bands
    (directory / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
    return directory


def _scripted(tokens: int) -> list[int]:
    """Return the token that follows each position: English, transcribe, no timestamps, the text, its end."""
    first_text = len(text_vocabulary())
    # Each another one: a text that repeats itself would be searched again.
    text = np.random.default_rng(1).choice(np.arange(first_text, v.END_OF_TEXT - 1), tokens, replace=False)
    start = [v.language_token("en"), v.TRANSCRIBE, v.NO_TIMESTAMPS]
    script = [*start, *(int(token) for token in text)]
    return script + [v.END_OF_TEXT] * (CONTEXT_TOKENS - len(script))


class _Weights:
    """Random arrays of one width, from a fixed seed."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._random = np.random.default_rng(0)

    def _normal(self, *shape: int, scale: float) -> Array:
        return self._random.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    def fill_encoder(self, spec: Any, mel_bands: int) -> None:
        """Fill convolutions, positions and layers."""
        for convolution, inputs in ((spec.conv1, mel_bands), (spec.conv2, self._width)):
            convolution.weight = self._normal(self._width, inputs, 3, scale=1 / np.sqrt(3 * inputs))
            convolution.bias = np.zeros(self._width, np.float32)
        spec.position_encodings.encodings = sinusoids(v.ENCODER_FRAMES, self._width)
        self._norm(spec.layer_norm)
        for layer in spec.layer:
            self._attention(layer.self_attention, parts=(3, 1))
            self._feed_forward(layer.ffn)

    def fill_decoder(self, spec: Any, script: list[int]) -> None:
        """Fill embedding, positions and layers; ``script`` names the token that follows each position."""
        embedding = self._normal(v.VOCABULARY_SIZE, self._width, scale=1.0)
        spec.embeddings.weight = embedding * np.float32(0.1)
        spec.projection.weight = spec.embeddings.weight
        spec.position_encodings.encodings = embedding[script] * np.float32(SIGNAL)
        spec.scale_embeddings = False
        self._norm(spec.layer_norm)
        for layer in spec.layer:
            self._attention(layer.self_attention, parts=(3, 1))
            self._attention(layer.attention, parts=(1, 2, 1))
            self._feed_forward(layer.ffn)

    def _attention(self, spec: Any, *, parts: tuple[int, ...]) -> None:
        self._norm(spec.layer_norm)
        for linear, multiple in zip(spec.linear, parts, strict=True):
            is_last = linear is spec.linear[-1]
            self._linear(linear, multiple * self._width, self._width, scale=QUIET if is_last else 1.0)

    def _feed_forward(self, spec: Any) -> None:
        self._norm(spec.layer_norm)
        self._linear(spec.linear_0, 4 * self._width, self._width)
        self._linear(spec.linear_1, self._width, 4 * self._width, scale=QUIET)

    def _linear(self, spec: Any, outputs: int, inputs: int, *, scale: float = 1.0) -> None:
        spec.weight = self._normal(outputs, inputs, scale=scale / np.sqrt(inputs))
        spec.bias = np.zeros(outputs, np.float32)

    def _norm(self, spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(self._width, np.float32), np.zeros(self._width, np.float32)


def main() -> None:
    """Write a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine.fixed_length", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--tokens", type=int, default=90)
    parser.add_argument("--quantization", default="int8")
    chosen = parser.parse_args()
    shape = SHAPES[chosen.shape]
    print(write_model(chosen.directory, shape, tokens=chosen.tokens, quantization=chosen.quantization))


if __name__ == "__main__":
    main()
