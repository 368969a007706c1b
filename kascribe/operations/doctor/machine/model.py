"""Whether the model is there and whole, and whether the device computes in the type that is set."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from kascribe.operations.doctor.findings import Finding, failed, ok, skipped, warning
from kascribe.operations.doctor.machine.cuda import CudaDevice, cuda_devices, driver_version
from models.store import MEGABYTES, ModelStore
from models.store.directory import WEIGHTS
from models.store.manifest import Manifest
from models.store.names import repository_of
from models.whisper.inference.device import UNSET_COMPUTE_TYPE, device_of, supported_compute_types
from schemas.errors import ConfigurationError, ModelNotFound, StoreError
from schemas.settings import WhisperSettings

GIBIBYTE: Final = 1024**3

OLDEST_CAPABILITY: Final = (5, 3)
"""Compute capability below which CTranslate2's float16 does not run."""

WEIGHTS_AND_WORK: Final = 2
"""Device memory for a model: its weights, and as much again for batches. Below that, the warm-up shrinks them."""


def check_model(settings: WhisperSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield whether the model is on this disk, and whether each file is what was pulled. Makes no network call."""
    store = ModelStore.from_settings(settings.model_copy(update={"offline": True}), environment)
    try:
        directory = store.path(settings.model)
    except ModelNotFound as error:
        yield _absent(settings, str(error))
        return
    except StoreError as error:
        yield failed("model", str(error), f"kascribe models remove {settings.model}, then pull it again")
        return
    size_bytes = sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
    yield ok("model", f"{settings.model}: {size_bytes / 1e6:,.0f} MB in {directory}")
    yield _whole(settings, directory)


def _absent(settings: WhisperSettings, why: str) -> Finding:
    if settings.offline or repository_of(settings.model) is None:
        remedy = "name a model that is on this disk (`kascribe models list`), or copy it there"
        return failed("model", why.partition(": run")[0], remedy)
    megabytes = MEGABYTES.get(settings.model)
    size = f" (about {megabytes:,} MB)" if megabytes else ""
    return warning(
        "model",
        f"{settings.model} is not on this disk: a transcriber pulls it when it starts{size}",
        f"kascribe models pull {settings.model}",
    )


def _whole(settings: WhisperSettings, directory: Path) -> Finding:
    try:
        manifest = Manifest.read(directory)
    except StoreError as error:
        return failed("model hash", str(error), f"kascribe models pull {settings.model}")
    if manifest is None:
        return skipped("model hash", "a directory that was copied has no manifest to compare with")
    problems = manifest.problems(directory)
    if problems:
        remedy = f"kascribe models remove {settings.model} && kascribe models pull {settings.model}"
        return failed("model hash", "; ".join(problems), remedy)
    return ok("model hash", f"{len(manifest.files)} files are what was pulled, revision {manifest.revision[:12]}")


def check_device(settings: WhisperSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which device computes, what its driver says, and whether the model fits and its type is supported."""
    try:
        device = device_of(settings)
    except ConfigurationError as error:
        yield failed("device", str(error), "nvidia-smi shows what the driver sees; see docs/gpu.md")
        return
    yield from _gpu(settings, environment) if device == "cuda" else iter([_cpu(settings)])
    yield _compute_type(settings, device)


def _cpu(settings: WhisperSettings) -> Finding:
    if settings.device == "cpu":
        return ok("device", "the CPU, as KASCRIBE_WHISPER_DEVICE says")
    devices = cuda_devices()
    seen = f"the driver sees {len(devices)} GPUs that CTranslate2 cannot use" if devices else "there is no GPU"
    return warning(
        "device",
        f"the CPU, many times slower than a GPU: {seen}",
        "install the driver and kascribe[cuda] (docs/gpu.md), or set KASCRIBE_WHISPER_DEVICE=cpu if this is meant",
    )


def _gpu(settings: WhisperSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    devices = cuda_devices()
    if settings.device_index >= len(devices):
        yield skipped("device", "CTranslate2 sees the GPU; the driver's library cannot be read")
        return
    gpu = devices[settings.device_index]
    capability = f"{gpu.capability[0]}.{gpu.capability[1]}"
    found = f"{gpu.name}, compute capability {capability}, CUDA {driver_version()}, cuBLAS loaded"
    if gpu.capability < OLDEST_CAPABILITY:
        yield failed(
            "device", found, "use a GPU of compute capability 5.3 or later, or KASCRIBE_WHISPER_DEVICE=cpu"
        )
    else:
        yield ok("device", found)
    yield memory_finding(gpu, weights_bytes(settings, environment))


def weights_bytes(settings: WhisperSettings, environment: Mapping[str, str]) -> int | None:
    """Return the size of the model's weights on disk; None where it is not on this disk."""
    store = ModelStore.from_settings(settings.model_copy(update={"offline": True}), environment)
    try:
        return (store.path(settings.model) / WEIGHTS).stat().st_size
    except (StoreError, OSError):
        return None


def memory_finding(gpu: CudaDevice, weights: int | None) -> Finding:
    """Return whether a model of this size fits into what is free on a GPU. Pure."""
    name, free = "device memory", gpu.free_bytes
    found = f"{free / GIBIBYTE:.1f} of {gpu.total_bytes / GIBIBYTE:.1f} GiB are free"
    if weights is None:
        return skipped(name, f"{found}; the model is not on this disk")
    found += f", the weights take {weights / GIBIBYTE:.1f} GiB"
    remedy = (
        "end what else uses this GPU (nvidia-smi), choose another one (KASCRIBE_WHISPER_DEVICE_INDEX), or int8"
    )
    if free < weights:
        return failed(name, found, remedy)
    if free < WEIGHTS_AND_WORK * weights:
        return warning(name, f"{found}: little is left for batches", remedy)
    return ok(name, found)


def _compute_type(settings: WhisperSettings, device: str) -> Finding:
    supported = supported_compute_types(device, settings.device_index if device == "cuda" else 0)
    if settings.compute_type in (UNSET_COMPUTE_TYPE, "auto", *supported):
        return ok("compute type", f"{settings.compute_type}; the device supports {', '.join(sorted(supported))}")
    return failed(
        "compute type",
        f"{settings.compute_type} is not supported by the device",
        f"set KASCRIBE_WHISPER_COMPUTE_TYPE to one of {', '.join(sorted(supported))}, or default",
    )
