"""Buffers of features: what was in them before is never heard."""

import numpy as np
import pytest

from models.media.speech.windows import WINDOW_FRAMES
from models.whisper.inference.features import FeatureBuffers
from models.whisper.rows import Features

BANDS = 4


def features(frames: int, value: float) -> Features:
    """Return features that all have one value."""
    return np.full((BANDS, frames), value, np.float32)


def test_a_batch_holds_each_row_padded_with_zeros() -> None:
    """Of whole windows, as the encoder takes them."""
    with FeatureBuffers(BANDS).filled([features(3, 1.0), features(WINDOW_FRAMES, 2.0)]) as batch:
        assert batch.array.shape == (2, BANDS, WINDOW_FRAMES)
        assert batch.frames == (3, WINDOW_FRAMES)
        assert batch.array[0].sum() == 3 * BANDS
        assert batch.array[1].min() == 2.0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_buffer_is_used_again_and_nothing_is_left_in_it(rows: int) -> None:
    """Also by a smaller batch, whose array CTranslate2 can read as it is."""
    buffers = FeatureBuffers(BANDS)
    with buffers.filled([features(WINDOW_FRAMES, 9.0)] * 3) as first:
        kept = first.array
    with buffers.filled([features(5, 1.0)] * rows) as batch:
        assert np.shares_memory(batch.array, kept)
        assert batch.array.flags.c_contiguous
        assert batch.array.sum() == 5 * BANDS * rows


def test_batches_at_the_same_time_share_no_memory() -> None:
    """A batch is prepared while another is heard; a larger one does not fit in a smaller buffer."""
    buffers = FeatureBuffers(BANDS)
    with buffers.filled([features(5, 1.0)]) as first, buffers.filled([features(5, 2.0)]) as second:
        assert not np.shares_memory(first.array, second.array)
    with buffers.filled([features(5, 3.0)] * 4) as larger:
        assert larger.array.sum() == 5 * BANDS * 3 * 4
