"""Choice of the device, and of the number of concurrent calls."""

import ctypes
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import ctranslate2
import structlog

from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings

THREADS_PER_REPLICA: Final = 4
"""On a CPU, several replicas with few threads beat one with many: 1.3 to 1.6 times on two cores."""
UNSET_COMPUTE_TYPE: Final = "default"
"""The setting's default. CTranslate2 takes it as the type of the weights, and warns where that is slow."""
CPU_KEPT_REPLICAS: Final = 1
"""Calls of interactive rows on a CPU beside the others: sharing the cores beats waiting for a call's end."""
GPU_REPLICAS: Final = 2
"""Calls on a GPU at once: one's host work is done behind the other's kernels. They share the weights."""
GPU_BATCH_ROWS: Final = 32
"""Rows that are tried first on a GPU; the warm-up halves them until they fit."""
CUBLAS_LIBRARIES: Final = ("libcublasLt.so.12", "libcublas.so.12")

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parallelism:
    """Concurrent calls (``replicas``), rows per call, CPU threads per call, and batches to prepare ahead.

    ``kept_replicas`` are further calls, of interactive rows alone.
    """

    replicas: int
    batch_rows: int
    threads: int
    prepared_ahead: int = 0
    kept_replicas: int = 0

    @property
    def calls(self) -> int:
        """Calls that may run at once."""
        return self.replicas + self.kept_replicas


def parallelism(settings: WhisperSettings, *, device: str, cores: int) -> Parallelism:
    """Return the parallelism that the settings request; where they leave it open, the fastest that was measured.

    On a CPU a batch gains nothing and costs determinism, so rows run one by one there unless the settings differ.
    A call lasts seconds there: one more is kept for interactive rows.
    """
    threads = settings.cpu_threads or cores
    if device == "cuda":
        replicas, rows = settings.replicas or GPU_REPLICAS, settings.batch_size or GPU_BATCH_ROWS
        return Parallelism(replicas, rows, settings.cpu_threads, prepared_ahead=1)
    rows = settings.batch_size or 1
    if settings.replicas:
        each = max(1, threads // settings.replicas)
        return Parallelism(settings.replicas, rows, each, kept_replicas=CPU_KEPT_REPLICAS)
    each = max(1, min(THREADS_PER_REPLICA, threads // 2))
    return Parallelism(max(1, threads // each), rows, each, kept_replicas=CPU_KEPT_REPLICAS)


def device_of(settings: WhisperSettings) -> str:
    """Return ``cuda`` or ``cpu``; auto takes a GPU that CTranslate2 can use.

    Raises ConfigurationError when ``cuda`` is set and there is no such GPU.
    """
    if settings.device == "cpu":
        return "cpu"
    gpus = ctranslate2.get_cuda_device_count()
    if gpus > settings.device_index:
        if load_cublas():
            return "cuda"
        problem = (
            f"there is a GPU, but no {CUBLAS_LIBRARIES[-1]}; install Kascribe with its extra cuda (kascribe[cuda])"
        )
    else:
        problem = f"CTranslate2 sees {gpus} GPUs; check the driver and KASCRIBE_WHISPER_DEVICE_INDEX"
    if settings.device == "cuda":
        raise ConfigurationError(
            f"KASCRIBE_WHISPER_DEVICE is cuda, but {problem}, or set KASCRIBE_WHISPER_DEVICE=cpu"
        )
    if gpus:
        _log.warning("running on the CPU, many times slower than on the GPU", error=problem)
    return "cpu"


def compute_type_of(settings: WhisperSettings, *, device: str) -> str:
    """Return the CTranslate2 type to load the model with; where the settings leave it open, int8 on a CPU.

    It is twice as fast there as float32 and as accurate; a CPU has no fast float16, the type of most weights.
    """
    if settings.compute_type != UNSET_COMPUTE_TYPE or device != "cpu":
        return settings.compute_type
    return "int8" if "int8" in ctranslate2.get_supported_compute_types("cpu") else "float32"


def supported_compute_types(device: str, index: int = 0) -> frozenset[str]:
    """Return the types in which CTranslate2 computes on a device (``cuda`` or ``cpu``)."""
    return frozenset(ctranslate2.get_supported_compute_types(device, index))


def load_cublas() -> bool:
    """Load cuBLAS, from the extra cuda or else the system's; return whether it is usable. Safe to repeat.

    CTranslate2 opens it by name on the library path, which finds a library that is already loaded.
    """
    with suppress(ModuleNotFoundError):
        package = find_spec("nvidia.cublas")
        for place in (package.submodule_search_locations or ()) if package else ():
            for name in CUBLAS_LIBRARIES:
                with suppress(OSError):
                    ctypes.CDLL(str(Path(place) / "lib" / name), mode=ctypes.RTLD_GLOBAL)
    try:
        ctypes.CDLL(CUBLAS_LIBRARIES[-1], mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
