"""Jobs at once, where the settings leave it open: enough to fill the device, whatever the length of the files."""

from typing import Final

from schemas.settings import RuntimeSettings

CUDA: Final = "cuda"

GPU_WORKER_THREADS: Final = 128
"""Files that a GPU transcribes at once: four batches of 32 rows where each file is a short clip of one row."""

GPU_IN_FLIGHT_RECORDS: Final = 192
"""Records in flight on a GPU. Intake that was shut opens again at three quarters: enough for all threads."""

FILES_AT_ONCE_LEAST: Final = 2
"""On a CPU, the next file is decoded while the model works on one."""


def transcriber_limits(runtime: RuntimeSettings, *, device: str) -> RuntimeSettings:
    """Return the runtime's settings with limits for the device in place of those that are not set."""
    if device != CUDA:
        return runtime
    limits = {"worker_threads": GPU_WORKER_THREADS, "in_flight_records": GPU_IN_FLIGHT_RECORDS}
    unset = {name: limit for name, limit in limits.items() if name not in runtime.model_fields_set}
    return runtime.model_copy(update=unset)


def files_at_once(*, device: str, decoder_processes: int) -> int:
    """Return how many files a command works on at once: on a CPU, as many as are decoded at once."""
    return GPU_WORKER_THREADS if device == CUDA else max(FILES_AT_ONCE_LEAST, decoder_processes)


def store_connections(runtime: RuntimeSettings) -> int:
    """Return the connections that the runtime's threads use at once, those for interactive records included."""
    return runtime.worker_threads + max(1, runtime.worker_threads // 8)
