"""How many jobs run at once where the settings leave it open."""

from kascribe.capacity import (
    FILES_AT_ONCE_LEAST,
    GPU_IN_FLIGHT_RECORDS,
    GPU_WORKER_THREADS,
    files_at_once,
    store_connections,
    transcriber_limits,
)
from kascribe.configuration.reading import load
from schemas.settings import RuntimeSettings

BATCHES = 4
BATCH_ROWS = 32


def test_a_gpu_gets_enough_short_clips_for_four_batches() -> None:
    """Two replicas run a batch each while the next two fill; a short clip is one row."""
    limits = transcriber_limits(RuntimeSettings(), device="cuda")
    assert limits.worker_threads >= BATCHES * BATCH_ROWS
    assert limits.in_flight_records * 0.75 >= limits.worker_threads


def test_a_cpu_keeps_the_defaults() -> None:
    """One row at a time runs there."""
    assert transcriber_limits(RuntimeSettings(), device="cpu") == RuntimeSettings()


def test_a_limit_that_is_set_is_kept() -> None:
    """Also when it is set to the default, and by whatever source."""
    settings = load(environment={"KASCRIBE_RUNTIME_WORKER_THREADS": "32"}).settings
    limits = transcriber_limits(settings.runtime, device="cuda")
    assert (limits.worker_threads, limits.in_flight_records) == (32, GPU_IN_FLIGHT_RECORDS)


def test_a_command_fills_a_gpu_and_keeps_a_cpu_busy() -> None:
    """On a CPU one file more than is transcribed is decoded ahead."""
    assert files_at_once(device="cuda", decoder_processes=6) == GPU_WORKER_THREADS
    assert files_at_once(device="cpu", decoder_processes=1) == FILES_AT_ONCE_LEAST
    assert files_at_once(device="cpu", decoder_processes=6) == 6


def test_every_thread_has_a_connection() -> None:
    """Those that run interactive records alone included."""
    assert store_connections(RuntimeSettings(worker_threads=128)) == 144
    assert store_connections(RuntimeSettings(worker_threads=1)) == 2
