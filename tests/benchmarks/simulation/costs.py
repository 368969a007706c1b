"""What a window costs: estimates for turbo in float16 on a data centre's GPU, and measured times of host work.

A batch of 16, 32 or 64 windows of 90 tokens takes the GPU 290, 440 or 740 ms: 140 ms for the steps of the decoder
and 9.375 ms per window. How the latter divides among encoder, decoder and alignment is an estimate as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.media.speech.windows import WINDOW_FRAMES

MEL_BANDS: Final = 128
"""Turbo's."""
TYPICAL_TOKENS: Final = 90
"""Of a full window of English."""
JOB_SECONDS: Final = 0.0118
"""CPU time in Python of a job beside its transcription: six calls of boto3, measured."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds. Those of the GPU are kernels; those of the host are spent in native code, without the GIL."""

    encode_row: float = 0.006
    detect_call: float = 0.0016
    detect_row: float = 0.0001
    decode_step: float = 0.140 / TYPICAL_TOKENS
    decode_token: float = 0.0018 / TYPICAL_TOKENS
    align_token: float = 0.001575 / TYPICAL_TOKENS
    upload_row: float = 0.003 / 16
    time_warping_row: float = 0.0015

    def encode(self, rows: int) -> float:
        """Return the GPU's time for the encoder."""
        return rows * self.encode_row

    def detect(self, rows: int) -> float:
        """Return the GPU's time to detect languages from encodings."""
        return self.detect_call + rows * self.detect_row

    def decode(self, tokens: Sequence[int]) -> float:
        """Return the GPU's time for texts of these lengths. The longest one decides on the number of steps."""
        return max(tokens) * self.decode_step + sum(tokens) * self.decode_token

    def align(self, tokens: Sequence[int]) -> float:
        """Return the GPU's time to align texts of these lengths: all are padded to the longest one."""
        return len(tokens) * max(tokens) * self.align_token

    def upload(self, rows: int) -> float:
        """Return the host's time to copy features to the device."""
        return rows * self.upload_row

    def time_warping(self, tokens: Sequence[int], frames: Sequence[int]) -> float:
        """Return the host's time after the kernels of an alignment: row by row, tokens times frames."""
        whole = TYPICAL_TOKENS * WINDOW_FRAMES
        return sum(map(int.__mul__, tokens, frames)) / whole * self.time_warping_row
