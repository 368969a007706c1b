"""How large a deployment has to be: pure arithmetic on a load. Each constant says where it comes from."""

import math
from dataclasses import dataclass
from typing import Final

from schemas.settings import RuntimeSettings, S3Settings

HOURS_A_DAY: Final = 24
SECONDS_AN_HOUR: Final = 3_600
SECONDS_A_DAY: Final = HOURS_A_DAY * SECONDS_AN_HOUR

WINDOW_SECONDS: Final = 30.0
"""A row of the model, however short its audio (models/media/speech/windows.py): a short clip takes a whole one."""

PACKED_SECONDS: Final = 28.0
"""Speech in a window of a longer recording: between 26 and 30 s (tests/benchmarks/simulation/load.py)."""

JOB_CPU_SECONDS: Final = 0.0118
"""Of Python beside a job's transcription, mostly requests to the bucket (tests/benchmarks/simulation/costs.py).

Threads of a process share one interpreter, so this bounds the jobs per second of a process.
"""

JOB_CPU_SHARE: Final = 0.5
"""Of a process's interpreter for that; the other half feeds the device and serves Kafka (make simulate-engine)."""

REQUESTS_A_JOB: Final = 6
"""tests/contract/transcriber/test_request_count.py; one more for each further part of a long recording."""

REFERENCE_BYTES: Final = 813
PROGRESS_BYTES: Final = 738
TRANSCRIPT_BYTES: Final = 2_270
PROGRESS_EVENTS: Final = 5
"""Key, value and headers of a record, and records of a job of 5 s: counted on the topics of a real broker after
12 jobs of `kascribe submit` with the self-test model. Bodies are in the bucket, so events stay small."""

RESULT_BYTES_PER_HOUR: Final = 256 * 1024**2 / 5 / 24
"""Of a transcript with the times of every word: a fifth of 256 MiB for a day of speech (consumers/s3.py)."""

RESULT_BYTES_PER_JOB: Final = 8_192
"""Of the objects that say what a job is, beside its transcript: four of at most 2 KiB."""

READERS: Final = 3
"""Of each record, on the average: transcriber or enricher, gateway, archive."""

FEATURE_BYTES_PER_SECOND: Final = 128 * 100 * 4
"""128 mel bands, 100 frames, 4 bytes each, in a scratch file (models/media/spool.py)."""

DECODING_SPEED: Final = 250.0
SHORT_DECODING_SPEED: Final = 100.0
"""Times real time that a core decodes at least, recordings and short clips (docs/architecture.md)."""

SPARE_CORES: Final = 2
"""models/media/pool.py: one feeds the device, one does the rest."""

PROCESS_BYTES: Final = 512 * 1024**2
DECODER_BYTES: Final = 96 * 1024**2
"""Memory of a process, and of each decoder (make bench-memory; kascribe/operations/doctor/machine/limits.py)."""

PARTITIONS_A_PROCESS: Final = 4
"""Then the process with most partitions has a quarter more than the one with fewest, at worst."""

LEAST_PARTITIONS: Final = 12
LEAST_BROKERS: Final = 3
"""With three replicas, one may be away (min.insync.replicas=2)."""


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in, and how it is kept. Hours are hours of audio.

    ``short_share`` is the share of the hours in clips of ``short_seconds``; the rest is in recordings of
    ``recording_seconds``. ``peak`` is the busiest hour against the average one. ``times_real_time`` is that of one
    device with the model and the language of the load, as `kascribe bench` measures it.
    """

    hours_per_day: float
    times_real_time: float
    short_share: float = 0.0
    short_seconds: float = 10.0
    recording_seconds: float = 600.0
    peak: float = 2.0
    utilisation: float = 0.8
    audio_bytes_per_second: float = 32_000.0
    keep_audio_days: float = 7.0
    keep_results_days: float = 365.0
    keep_records_days: float = 7.0
    replicas: int = 3
    gpu_hour_price: float | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """What a load needs. Rates are those of the busiest hour; a device is a GPU, with a process of its own."""

    jobs_per_day: int
    jobs_per_second: float
    audio_hours_per_hour: float
    devices: int
    processes: int
    devices_limited_by: str
    cores_per_process: int
    memory_bytes_per_process: int
    scratch_bytes_per_process: int
    partitions: int
    brokers: int
    broker_storage_bytes: int
    broker_in_bytes_per_second: float
    broker_out_bytes_per_second: float
    bucket_requests_per_second: float
    bucket_requests_per_day: int
    bucket_audio_bytes: int
    bucket_result_bytes: int
    fetched_bytes_per_second: float
    cost_per_1000_hours: float | None


def size(load: Load) -> Size:
    """Return what a load needs."""
    short_jobs = load.hours_per_day * load.short_share * SECONDS_AN_HOUR / load.short_seconds
    long_jobs = load.hours_per_day * (1 - load.short_share) * SECONDS_AN_HOUR / load.recording_seconds
    jobs = short_jobs + long_jobs
    jobs_per_second = jobs * load.peak / SECONDS_A_DAY
    devices, limited_by = _devices(load, short_jobs, long_jobs)
    processes = devices
    speed = load.times_real_time
    cores = speed * (1 - load.short_share) / DECODING_SPEED + speed * load.short_share / SHORT_DECODING_SPEED
    job_bytes = REFERENCE_BYTES + TRANSCRIPT_BYTES + PROGRESS_EVENTS * PROGRESS_BYTES
    requests = _requests(load, short_jobs, long_jobs)
    audio_bytes_per_day = load.hours_per_day * SECONDS_AN_HOUR * load.audio_bytes_per_second
    result_bytes_per_day = load.hours_per_day * RESULT_BYTES_PER_HOUR + jobs * RESULT_BYTES_PER_JOB
    decoders = max(2, math.ceil(cores))
    return Size(
        jobs_per_day=math.ceil(jobs),
        jobs_per_second=jobs_per_second,
        audio_hours_per_hour=load.hours_per_day * load.peak / HOURS_A_DAY,
        devices=devices,
        processes=processes,
        devices_limited_by=limited_by,
        cores_per_process=SPARE_CORES + decoders,
        memory_bytes_per_process=PROCESS_BYTES + decoders * DECODER_BYTES,
        scratch_bytes_per_process=_scratch(),
        partitions=max(LEAST_PARTITIONS, PARTITIONS_A_PROCESS * processes),
        brokers=max(LEAST_BROKERS, load.replicas),
        broker_storage_bytes=math.ceil(jobs * job_bytes * load.keep_records_days * load.replicas),
        broker_in_bytes_per_second=jobs_per_second * job_bytes * load.replicas,
        broker_out_bytes_per_second=jobs_per_second * job_bytes * (READERS + load.replicas - 1),
        bucket_requests_per_second=requests * load.peak / SECONDS_A_DAY,
        bucket_requests_per_day=math.ceil(requests),
        bucket_audio_bytes=math.ceil(audio_bytes_per_day * load.keep_audio_days),
        bucket_result_bytes=math.ceil(result_bytes_per_day * load.keep_results_days),
        fetched_bytes_per_second=audio_bytes_per_day * load.peak / SECONDS_A_DAY,
        cost_per_1000_hours=_cost(load, devices),
    )


def _devices(load: Load, short_jobs: float, long_jobs: float) -> tuple[int, str]:
    """Return the devices that the busiest hour takes, and whether the device or the host decides."""
    # The speed holds for full windows; a clip takes a row of its own, and as long as a full one at worst.
    rows = short_jobs * math.ceil(load.short_seconds / WINDOW_SECONDS)
    rows += long_jobs * math.ceil(load.recording_seconds / PACKED_SECONDS)
    device_seconds = rows * PACKED_SECONDS / load.times_real_time
    by_device = device_seconds * load.peak / SECONDS_A_DAY / load.utilisation
    by_host = (short_jobs + long_jobs) * load.peak / SECONDS_A_DAY * JOB_CPU_SECONDS / JOB_CPU_SHARE
    return max(1, math.ceil(max(by_device, by_host))), "device" if by_device >= by_host else "host"


def _requests(load: Load, short_jobs: float, long_jobs: float) -> float:
    """Return the requests to the bucket in a day."""
    part = S3Settings().part_size_bytes
    parts = [
        math.ceil(seconds * load.audio_bytes_per_second / part)
        for seconds in (load.short_seconds, load.recording_seconds)
    ]
    further = short_jobs * (parts[0] - 1) + long_jobs * (parts[1] - 1)
    return (short_jobs + long_jobs) * REQUESTS_A_JOB + further


def _scratch() -> int:
    """Return the scratch disk of a process: its limits of what is in flight (settings, defaults)."""
    limits = RuntimeSettings()
    return math.ceil(limits.in_flight_bytes + limits.in_flight_audio_seconds * FEATURE_BYTES_PER_SECOND)


def _cost(load: Load, devices: int) -> float | None:
    """Return the price of the devices, running all day, for 1,000 hours of audio."""
    if load.gpu_hour_price is None:
        return None
    return devices * HOURS_A_DAY * load.gpu_hour_price / load.hours_per_day * 1_000
