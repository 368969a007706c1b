"""Conversion of a GGUF file to the directory that vLLM loads. Runs in vLLM's environment, which has transformers.

transformers reads the tokenizer, the configuration and the weights (dequantized); nothing is fetched.
"""

import sys
from pathlib import Path

import torch  # type: ignore[import-not-found, unused-ignore]
from transformers import AutoModelForCausalLM, AutoTokenizer  # type: ignore[import-not-found, unused-ignore]


def convert(gguf: Path, directory: Path) -> None:
    """Write the model of ``gguf`` into ``directory`` as float32 safetensors, with its tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are dequantized, so the saved model must not claim to be quantized.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
