"""Voice detector: Silero's network as faster-whisper packages it, run on a stream."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.media.speech.spans import CHUNK_SAMPLES

_CONTEXT_SAMPLES: Final = 64
_STATE_SHAPE: Final = (1, 1, 128)


def load_session() -> onnxruntime.InferenceSession:
    """Load the network, on one thread: parallelism comes from several processes.

    Does not import faster_whisper, which would load the whole inference stack into a child that only decodes.
    """
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        str(_network_path()), providers=["CPUExecutionProvider"], sess_options=options
    )


def _network_path() -> Path:
    package = find_spec("faster_whisper")
    if package is None or package.origin is None:
        raise FileNotFoundError("faster-whisper is not installed; install kascribe with the extra transcriber")
    return Path(package.origin).parent / "assets" / "silero_vad_v6.onnx"


class VoiceDetector:
    """Speech probabilities of one channel; the network's state continues from block to block."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._hidden = np.zeros(_STATE_SHAPE, np.float32)
        self._cell = np.zeros(_STATE_SHAPE, np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def probabilities(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one probability per 512 samples; the block's length must be a multiple of 512."""
        chunks = block.reshape(-1, CHUNK_SAMPLES)
        tails = np.concatenate([self._context[None], chunks[:-1, -_CONTEXT_SAMPLES:]])
        self._context = chunks[-1, -_CONTEXT_SAMPLES:].copy()
        output, self._hidden, self._cell = self._session.run(
            None,
            {"input": np.concatenate([tails, chunks], axis=1), "h": self._hidden, "c": self._cell},
        )
        return np.asarray(output, np.float32).reshape(-1)
