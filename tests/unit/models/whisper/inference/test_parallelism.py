"""Where the model runs, in which type and how many calls side by side, where the settings leave it open."""

import ctypes

import ctranslate2
import pytest

from models.whisper.inference.device import Parallelism, compute_type_of, device_of, load_cublas, parallelism
from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, Parallelism(1, 1, 1, kept_replicas=1)),
        (2, Parallelism(2, 1, 1, kept_replicas=1)),
        (4, Parallelism(2, 1, 2, kept_replicas=1)),
        (16, Parallelism(4, 1, 4, kept_replicas=1)),
        (64, Parallelism(16, 1, 4, kept_replicas=1)),
    ],
)
def test_a_cpu_gets_replicas_of_few_threads(cores: int, expected: Parallelism) -> None:
    """All cores are used, row by row, so that the text does not depend on what else is in flight."""
    assert parallelism(WhisperSettings(), device="cpu", cores=cores) == expected


def test_settings_come_first() -> None:
    """Replicas share the threads that they are given; a batch that is asked for is made on a CPU too."""
    asked = WhisperSettings(replicas=3, cpu_threads=6)
    assert parallelism(asked, device="cpu", cores=64) == Parallelism(3, 1, 2, kept_replicas=1)
    batches = WhisperSettings(batch_size=8)
    assert parallelism(batches, device="cpu", cores=2) == Parallelism(2, 8, 1, kept_replicas=1)


def test_a_gpu_gets_batches() -> None:
    """Two calls at a time of many rows, and the next batch ready."""
    assert parallelism(WhisperSettings(), device="cuda", cores=8) == Parallelism(2, 32, 0, prepared_ahead=1)
    asked = WhisperSettings(replicas=1, batch_size=16)
    assert parallelism(asked, device="cuda", cores=8) == Parallelism(1, 16, 0, prepared_ahead=1)


def test_a_cpu_computes_in_int8_unless_a_type_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float16 weights would be computed in float32, after a warning on standard error; a GPU takes them as is."""
    assert compute_type_of(WhisperSettings(), device="cpu") == "int8"
    assert compute_type_of(WhisperSettings(), device="cuda") == "default"
    assert compute_type_of(WhisperSettings(compute_type="float32"), device="cpu") == "float32"
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda _: {"float32"})
    assert compute_type_of(WhisperSettings(), device="cpu") == "float32"


@pytest.fixture
def no_cublas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a machine with a GPU and a driver, and nothing else of CUDA."""

    def absent(name: str, **_: object) -> None:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(ctypes, "CDLL", absent)


@pytest.mark.usefixtures("no_cublas")
def test_a_gpu_without_cublas_is_left_alone_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Every call would fail on it; the CPU is slow, but answers."""
    assert not load_cublas()
    assert device_of(WhisperSettings(device="auto")) == "cpu"
    assert "kascribe[cuda]" in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match=r"kascribe\[cuda\]"):
        device_of(WhisperSettings(device="cuda"))


def test_a_gpu_with_cublas_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever its libraries are found; one that does not exist is an error where it was asked for by number."""
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: None)
    assert device_of(WhisperSettings(device="auto")) == "cuda"
    assert device_of(WhisperSettings(device="cpu")) == "cpu"
    assert device_of(WhisperSettings(device="auto", device_index=1)) == "cpu"
    with pytest.raises(ConfigurationError, match="sees 1 GPUs"):
        device_of(WhisperSettings(device="cuda", device_index=1))
