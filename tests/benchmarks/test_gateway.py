"""A slice of the gateway's benchmark that CI can afford, and how it counts."""

from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks.gateway import embedded, measure_uploads, percentile
from tests.flow.front_doors.abuse.gateway_process import gateway_process

UPLOADS: Final = 24
UPLOAD_BYTES: Final = 480_000


@pytest.mark.parametrize(("share", "value"), [(0.5, 3.0), (0.95, 5.0), (0.2, 1.0), (0.21, 2.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    """The smallest that at least this share of them does not exceed."""
    assert percentile([5.0, 3.0, 1.0, 4.0, 2.0], share) == value


def test_many_uploads_at_once_are_answered_in_bounded_memory(tmp_path: Path) -> None:
    """The gateway runs in its own process."""
    with embedded() as bench:
        bench.start_transcriber()
        with gateway_process(bench.settings, tmp_path / "log") as gateway:
            assert measure_uploads(gateway, UPLOADS, UPLOAD_BYTES)
