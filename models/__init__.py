"""Inference: audio in, text out; the model store; the language model client.

Libraries that tell their makers of their use are silent here: set before any of them is imported, in every process
that imports a part of this package, children included. What the operator sets stands.
"""

import os
from collections.abc import Mapping
from typing import Final

SILENT: Final[Mapping[str, str]] = {
    # onnxruntime 1.32: a database in the user's cache at once, and connections to a collector after seconds.
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub 1.x: what else is installed, in the headers of every request.
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

for _name, _value in SILENT.items():
    os.environ.setdefault(_name, _value)
