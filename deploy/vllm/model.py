"""The tiny model: one Mistral layer with random weights and a tokenizer with one token per byte.

Deterministic: equal on every machine. The weights hold no knowledge, but the output layer has a bias, so that
answers are readable words and end: one hidden dimension is constant through all layers, and the output layer's
weights for it are the bias.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MODEL_NAME: Final = "kascribe-tiny"
SEED: Final = 20_26
HIDDEN: Final = 64
HEADS: Final = 2
INTERMEDIATE: Final = 128
LAYERS: Final = 1
SLIDING_WINDOW_TOKENS: Final = 256
"""Window of the attention, so that long prompts cost little: with a context of 8,192 tokens, the transcripts of
``tests.benchmarks.enrich_lengths`` run 2.3 times as fast as without it."""
CONTEXT_LIMIT_TOKENS: Final = 131_072
SPECIAL_TOKENS: Final = ("<|pad|>", "<|im_start|>", "<|im_end|>")
VOCABULARY: Final = 256 + len(SPECIAL_TOKENS)
END_TOKEN: Final = 256 + SPECIAL_TOKENS.index("<|im_end|>")

CONSTANT: Final = 8.0  # the value of the hidden dimension 0, which no layer changes
_BIAS_GAIN: Final = 5.0  # its value after the last normalisation, measured
_SUPPRESSED: Final = -20.0
_SPREAD: Final = 0.05  # of the output layer; gives logits a spread of 0.3, which temperature 0.3 makes 1

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_model(directory: Path) -> Path:
    """Write the model into ``directory``, creating it. Safe to repeat: the bytes are always the same."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "config.json": _configuration(),
        "generation_config.json": {"eos_token_id": END_TOKEN, "pad_token_id": 256},
        "tokenizer.json": _tokenizer(),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": CHAT_TEMPLATE,
            "eos_token": "<|im_end|>",
            "pad_token": "<|pad|>",
            "model_max_length": CONTEXT_LIMIT_TOKENS,
            "clean_up_tokenization_spaces": False,
        },
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    (directory / "model.safetensors").write_bytes(_safetensors(_weights()))
    return directory


def _configuration() -> dict[str, Any]:
    return {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN // HEADS,
        "sliding_window": SLIDING_WINDOW_TOKENS,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT_LIMIT_TOKENS,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "bos_token_id": None,
        "eos_token_id": END_TOKEN,
        "pad_token_id": 256,
    }


def _weights() -> dict[str, Array]:
    random = np.random.default_rng(SEED)

    def matrix(rows: int, columns: int, spread: float) -> Array:
        return (random.standard_normal((rows, columns)) * spread).astype(np.float32)

    ones = np.ones(HIDDEN, dtype=np.float32)
    embedding = matrix(VOCABULARY, HIDDEN, 1.0)
    embedding[:, 0] = CONSTANT
    head = matrix(VOCABULARY, HIDDEN, _SPREAD)
    head[:, 0] = _bias() / _BIAS_GAIN
    weights = {"model.embed_tokens.weight": embedding, "model.norm.weight": ones, "lm_head.weight": head}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weights[f"{prefix}self_attn.{name}.weight"] = matrix(HIDDEN, HIDDEN, 0.15)
        weights[f"{prefix}mlp.gate_proj.weight"] = matrix(INTERMEDIATE, HIDDEN, 0.15)
        weights[f"{prefix}mlp.up_proj.weight"] = matrix(INTERMEDIATE, HIDDEN, 0.15)
        weights[f"{prefix}mlp.down_proj.weight"] = matrix(HIDDEN, INTERMEDIATE, 0.15)
        for written in ("self_attn.o_proj", "mlp.down_proj"):
            weights[f"{prefix}{written}.weight"][0, :] = 0.0  # nothing is added to the constant
        weights[f"{prefix}input_layernorm.weight"] = ones
        weights[f"{prefix}post_attention_layernorm.weight"] = ones
    return weights


def _bias() -> Array:
    """Return a bias for letters, spaces, and enough quotes and brackets that strings and lists end soon."""
    bias = np.full(VOCABULARY, _SUPPRESSED, dtype=np.float32)
    for byte in range(32, 127):
        bias[byte] = 0.0 if chr(byte).islower() else -1.2
    wanted = {" ": 0.5, '"': 0.35, "{": 0.4, "]": 0.0, "}": 0.3, ",": 0.2, ".": -0.2, "\\": -5.0}
    wanted |= dict.fromkeys("0123456789", -0.2)
    for character, value in wanted.items():
        bias[ord(character)] = value
    bias[END_TOKEN] = 0.0
    return bias


def _safetensors(weights: Mapping[str, Array]) -> bytes:
    """Serialize as safetensors: the header's length in 8 bytes, a JSON header, then the raw numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in weights.items():
        raw = array.astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def _tokenizer() -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(256 + index, token) for index, token in enumerate(SPECIAL_TOKENS)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": _vocabulary(),
            "merges": [],
        },
    }


def _special(number: int, token: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": token, **flags}


def _vocabulary() -> dict[str, int]:
    """Map characters to bytes as byte-level tokenizers do: printable Latin-1 as it is, the rest from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + n) for n, byte in enumerate(others)}
    vocabulary = {characters[byte]: byte for byte in range(256)}
    return vocabulary | {token: 256 + index for index, token in enumerate(SPECIAL_TOKENS)}
