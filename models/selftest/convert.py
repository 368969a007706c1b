"""Conversion of the trained arrays to the CTranslate2 directory that ships. Needs numpy and ctranslate2, no torch.

python -m models.selftest.convert --weights CHECKPOINTS/weights.npz --output models/selftest/weights
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray

from models.selftest import vocabulary as v
from models.selftest.tokens import USED_TOKENS, merges, text_vocabulary

Arrays = Mapping[str, NDArray[np.float32]]

ENCODER_LAYERS: Final = 4
DECODER_LAYERS: Final = 2
HEADS: Final = 2
PLACEHOLDER_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"

PROVENANCE: Final = """\
This is `selftest`, the self-test model of Kascribe. It is NOT an OpenAI Whisper model and no replacement for one.
It has Whisper's architecture (width 128, 2 heads, 4 encoder and 2 decoder layers, 80 mel bins, 51865 tokens) so
that CTranslate2 and faster-whisper load it like any Whisper model; its weights are int8. It was trained from
nothing, by models/selftest/train.py of this repository, only on speech that espeak-ng (the Debian package) spoke;
no recording of a person and no other model's weights or vocabulary went into it. It knows these words, no others:
"""


def main() -> None:
    """Convert from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    with np.load(arguments.weights) as arrays:
        convert(dict(arrays), arguments.output)
    size = sum(path.stat().st_size for path in arguments.output.iterdir())
    print(f"{arguments.output}: {size / 1e6:.1f} MB")


def convert(arrays: Arrays, output: Path) -> None:
    """Write model, configuration and tokenizer; replace existing files of these names."""
    output.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary_tokens()
    spec = WhisperSpec(ENCODER_LAYERS, HEADS, DECODER_LAYERS, HEADS)
    _fill_encoder(spec.encoder, arrays)
    _fill_decoder(spec.decoder, arrays)
    spec.config.suppress_ids = _suppressed_tokens()
    # Whisper also forbids <|endoftext|> here; this model returns no text for windows without speech.
    spec.config.suppress_ids_begin = [text_vocabulary()["Ġ"]]
    spec.config.lang_ids = [v.language_token(code) for code in v.LANGUAGE_CODES]
    spec.config.alignment_heads = [(DECODER_LAYERS - 1, head) for head in range(HEADS)]
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(output))
    _write_tokenizer(tokens, output / "tokenizer.json")
    _write_preprocessor(output / "preprocessor_config.json")
    words = "".join(f"{language}: {' '.join(words)}\n" for language, words in v.VOCABULARY.items())
    (output / "PROVENANCE.txt").write_text(PROVENANCE + words, encoding="utf-8")


def vocabulary_tokens() -> list[str]:
    """List all tokens by id; those that no word needs get a placeholder each."""
    text = list(text_vocabulary())
    placeholders = [f"~{_alphanumeric(index)}" for index in range(len(text), v.END_OF_TEXT - 1)]
    # Whisper's last text token is empty; without it CTranslate2 counts one token less: an English-only model.
    tokens = [*text, *placeholders, "", *v.special_tokens()]
    if len(set(tokens)) != v.VOCABULARY_SIZE:
        raise ValueError(f"{len(set(tokens))} different tokens instead of {v.VOCABULARY_SIZE}")
    return tokens


def _alphanumeric(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = PLACEHOLDER_DIGITS[digit] + digits
    return digits


def _suppressed_tokens() -> list[int]:
    """List the tokens of the prompt, which are never part of the output."""
    return [
        v.START_OF_TRANSCRIPT,
        v.TRANSLATE,
        v.TRANSCRIBE,
        v.START_OF_LANGUAGE_MODEL,
        v.START_OF_PREVIOUS,
        v.NO_SPEECH,
    ]


def embedding_of_all_tokens(arrays: Arrays) -> NDArray[np.float32]:
    """Build the embedding, [51865, width]: tokens in use have their own row, all others the shared one."""
    learned = arrays["embedding"]
    rows = np.repeat(learned[-1:], v.VOCABULARY_SIZE, axis=0)
    rows[list(USED_TOKENS)] = learned[:-1]
    return rows


def sinusoids(length: int, width: int) -> NDArray[np.float32]:
    """Compute Whisper's position table of the encoder, [length, width]."""
    inverse = np.exp(-np.log(10_000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * inverse[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _fill_encoder(spec: Any, arrays: Arrays) -> None:
    for name in ("conv1", "conv2"):
        _fill_linear(getattr(spec, name), arrays, f"encoder.{name}")
    spec.position_encodings.encodings = sinusoids(v.ENCODER_FRAMES, arrays["embedding"].shape[1])
    _fill_norm(spec.layer_norm, arrays, "encoder.norm")
    for index, layer in enumerate(spec.layer):
        _fill_layer(layer, arrays, f"encoder.layers.{index}")


def _fill_decoder(spec: Any, arrays: Arrays) -> None:
    spec.embeddings.weight = embedding_of_all_tokens(arrays)
    spec.projection.weight = spec.embeddings.weight
    spec.position_encodings.encodings = arrays["positions"]
    _fill_norm(spec.layer_norm, arrays, "norm")
    for index, layer in enumerate(spec.layer):
        name = f"layers.{index}"
        _fill_layer(layer, arrays, name)
        _fill_norm(layer.attention.layer_norm, arrays, f"{name}.cross_norm")
        for linear, part in zip(layer.attention.linear, ("query", "memory", "out"), strict=True):
            _fill_linear(linear, arrays, f"{name}.cross_attention.{part}")


def _fill_layer(spec: Any, arrays: Arrays, name: str) -> None:
    _fill_norm(spec.self_attention.layer_norm, arrays, f"{name}.self_norm")
    for linear, part in zip(spec.self_attention.linear, ("query", "out"), strict=True):
        _fill_linear(linear, arrays, f"{name}.self_attention.{part}")
    _fill_norm(spec.ffn.layer_norm, arrays, f"{name}.feed_norm")
    _fill_linear(spec.ffn.linear_0, arrays, f"{name}.feed_in")
    _fill_linear(spec.ffn.linear_1, arrays, f"{name}.feed_out")


def _fill_linear(spec: Any, arrays: Arrays, name: str) -> None:
    spec.weight, spec.bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]


def _fill_norm(spec: Any, arrays: Arrays, name: str) -> None:
    spec.gamma, spec.beta = arrays[f"{name}.weight"], arrays[f"{name}.bias"]


def _write_tokenizer(tokens: list[str], path: Path) -> None:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [
        {"id": index, "content": tokens[index], "special": index < v.FIRST_TIMESTAMP}
        | {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for index in range(v.END_OF_TEXT, v.VOCABULARY_SIZE)
    ]
    model = {
        "type": "BPE",
        **dict.fromkeys(("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")),
        **dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False),
        "vocab": {token: index for index, token in enumerate(tokens[: v.END_OF_TEXT])},
        "merges": [list(pair) for pair in merges()],
    }
    tokenizer = {
        "version": "1.0",
        **dict.fromkeys(("truncation", "padding", "normalizer", "post_processor")),
        "added_tokens": added,
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": model,
    }
    path.write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def _write_preprocessor(path: Path) -> None:
    settings = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": v.MEL_BINS,
        "sampling_rate": v.SAMPLING_RATE_HZ,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": v.WINDOW_SECONDS,
        "n_samples": v.WINDOW_SECONDS * v.SAMPLING_RATE_HZ,
        "nb_max_frames": 2 * v.ENCODER_FRAMES,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }
    path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
