"""Where the model runs, and how many calls side by side."""

import ctypes
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import ctranslate2
import structlog

from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings

THREADS_PER_REPLICA = 4
"""On a CPU, replicas of few threads beat one of many: 1.3 to 1.6 times on two cores."""
CUBLAS_LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parallelism:
    """How many calls run side by side, how many rows each takes, and on how many CPU threads."""

    replicas: int
    batch_rows: int
    threads: int


def parallelism(settings: WhisperSettings, *, device: str, cores: int) -> Parallelism:
    """What the settings say, and where they leave it open what measured best.

    On a CPU a batch gains nothing and costs determinism, so rows go one by one.
    """
    threads = settings.cpu_threads or cores
    if device == "cuda":
        return Parallelism(max(1, settings.replicas), settings.batch_size, settings.cpu_threads)
    if settings.replicas:
        return Parallelism(settings.replicas, 1, max(1, threads // settings.replicas))
    each = max(1, min(THREADS_PER_REPLICA, threads // 2))
    return Parallelism(max(1, threads // each), 1, each)


def device_of(settings: WhisperSettings) -> str:
    """``cuda`` or ``cpu``; auto takes a GPU that CTranslate2 can use. Raises ConfigurationError without one."""
    if settings.device == "cpu":
        return "cpu"
    gpus = ctranslate2.get_cuda_device_count()
    if gpus > settings.device_index:
        if load_cublas():
            return "cuda"
        trouble = (
            f"there is a GPU, but no {CUBLAS_LIBRARIES[-1]}; install Kascribe with its extra cuda (kascribe[cuda])"
        )
    else:
        trouble = f"CTranslate2 sees {gpus} GPUs; check the driver and KASCRIBE_WHISPER_DEVICE_INDEX"
    if settings.device == "cuda":
        raise ConfigurationError(
            f"KASCRIBE_WHISPER_DEVICE is cuda, but {trouble}, or set KASCRIBE_WHISPER_DEVICE=cpu"
        )
    if gpus:
        _log.warning("running on the CPU, many times slower than on the GPU", why=trouble)
    return "cpu"


def load_cublas() -> bool:
    """Whether cuBLAS can be used: from the extra cuda, else the machine's own. Safe to repeat.

    CTranslate2 looks for it by name on the library path, and finds what is loaded already.
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
