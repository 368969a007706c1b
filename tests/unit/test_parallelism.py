"""How many calls run side by side, where the settings leave it open."""

import pytest

from models.whisper.device import Parallelism, load_cublas, parallelism
from schemas.settings import WhisperSettings


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, Parallelism(1, 1, 1)),
        (2, Parallelism(2, 1, 1)),
        (4, Parallelism(2, 1, 2)),
        (16, Parallelism(4, 1, 4)),
        (64, Parallelism(16, 1, 4)),
    ],
)
def test_a_cpu_gets_replicas_of_few_threads(cores: int, expected: Parallelism) -> None:
    """All cores are used, row by row, so that the text does not depend on what else is in flight."""
    assert parallelism(WhisperSettings(), device="cpu", cores=cores) == expected


def test_settings_come_first() -> None:
    """Replicas share the threads that they are given."""
    asked = WhisperSettings(replicas=3, cpu_threads=6)
    assert parallelism(asked, device="cpu", cores=64) == Parallelism(3, 1, 2)


def test_a_gpu_gets_batches() -> None:
    """One call at a time of many rows."""
    assert parallelism(WhisperSettings(batch_size=32), device="cuda", cores=8) == Parallelism(1, 32, 0)
    assert parallelism(WhisperSettings(replicas=2), device="cuda", cores=8) == Parallelism(2, 16, 0)


def test_no_cublas_is_no_error_of_its_own() -> None:
    """The machine may have one; if not, the first call says so."""
    load_cublas()
