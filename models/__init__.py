"""Inference: speech to text with Whisper, the store of its models, and the client of language model servers.

Telemetry of third-party libraries is turned off here, before any of them is imported, in every process that
imports a part of this package, child processes included. Values that the operator sets take precedence.
"""

import os
from collections.abc import Mapping
from typing import Final

TELEMETRY_OFF: Final[Mapping[str, str]] = {
    # onnxruntime 1.32 creates a database in the user's cache at once, and connects to a collector after seconds.
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub 1.x reports which libraries are installed, in the headers of every request.
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

for _name, _value in TELEMETRY_OFF.items():
    os.environ.setdefault(_name, _value)
