"""``kascribe size``: what a load needs, by the model in ``kascribe/operations/sizing.py``."""

from collections.abc import Mapping
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import BaseModel, ConfigDict

from kascribe.commands.options.json_option import json_option
from kascribe.console.terminal import Screen, print_table, write_json
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from kascribe.operations.sizing import Load, Size

HOURS_LIMIT: Final = 1_000_000
"""Hours of audio a day, beyond which nobody has thought about the numbers."""

UNPRICED: Final = "not computed: give the price of a GPU for an hour with --gpu-price"

BITS: Final = 8
TENS: Final = 10
THOUSAND: Final = 1_000.0


HoursPerDay = Annotated[float, typer.Argument(metavar="HOURS", help="Hours of audio a day, up to a million.")]
Speed = Annotated[
    float,
    typer.Option(
        metavar="FACTOR",
        help="Times real time of one device, with your model and language: `kascribe bench` measures it.",
    ),
]
GpuPrice = Annotated[
    float | None,
    typer.Option(metavar="PRICE", min=0, help="Price of a GPU for an hour, in any currency; without it, no cost."),
]


class SizeRow(BaseModel):
    """What a load needs; rates are those of the busiest hour. ``cost_per_1000_hours`` is null without a price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


def size(
    hours_per_day: HoursPerDay,
    speed: Speed,
    short_share: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Share of the hours that is in short clips.")
    ] = 0.0,
    short_seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length of a short clip.")] = 10.0,
    recording_minutes: Annotated[
        float, typer.Option(metavar="MINUTES", help="Length of the other recordings.")
    ] = 10.0,
    peak: Annotated[
        float, typer.Option(metavar="FACTOR", min=1, help="The busiest hour against the average one.")
    ] = 2.0,
    utilisation: Annotated[
        float, typer.Option(metavar="SHARE", help="How busy devices may be in the busiest hour.")
    ] = 0.8,
    audio_kbit: Annotated[
        float, typer.Option(metavar="NUMBER", help="Kilobits a second of the audio as it is stored.")
    ] = 256.0,
    keep_audio_days: Annotated[float, typer.Option(metavar="DAYS", min=0, help="How long audio stays.")] = 7.0,
    keep_results_days: Annotated[
        float, typer.Option(metavar="DAYS", min=0, help="How long results stay.")
    ] = 365.0,
    keep_records_days: Annotated[float, typer.Option(metavar="DAYS", min=0, help="Retention of topics.")] = 7.0,
    replicas: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Replicas of each record.")] = 3,
    gpu_price: GpuPrice = None,
    as_json: Annotated[bool, json_option(SizeRow, "load")] = False,
) -> None:
    """Compute what a load needs: GPUs, partitions, brokers, bucket, disk, processes, memory, cost.

    The result is arithmetic on measured numbers, and no measurement of your machines: docs/sizing.md says what
    each number comes from.

    Examples:
        $ kascribe size 10000 --speed 500
        $ kascribe size 1000000 --speed 500 --short-share 0.3 --gpu-price 2.5
    """
    from kascribe.operations.sizing import Load
    from kascribe.operations.sizing import size as size_of

    _refuse_wrong_numbers(
        {
            "HOURS": (hours_per_day, HOURS_LIMIT),
            "--speed": (speed, inf),
            "--short-seconds": (short_seconds, inf),
            "--recording-minutes": (recording_minutes, inf),
            "--utilisation": (utilisation, 1.0),
            "--audio-kbit": (audio_kbit, inf),
        }
    )
    load = Load(
        hours_per_day=hours_per_day,
        times_real_time=speed,
        short_share=short_share,
        short_seconds=short_seconds,
        recording_seconds=recording_minutes * 60,
        peak=peak,
        utilisation=utilisation,
        audio_bytes_per_second=audio_kbit * THOUSAND / BITS,
        keep_audio_days=keep_audio_days,
        keep_results_days=keep_results_days,
        keep_records_days=keep_records_days,
        replicas=replicas,
        gpu_hour_price=gpu_price,
    )
    found = size_of(load)
    if as_json:
        write_json(SizeRow.model_validate(asdict(found)))
        return
    _print(load, found)


def _refuse_wrong_numbers(numbers: Mapping[str, tuple[float, float]]) -> None:
    """Raise ConfigurationError for values that are not above 0 and at most their limit; NaN is neither."""
    if wrong := [name for name, (value, limit) in numbers.items() if not 0 < value <= limit]:
        names = ", ".join(wrong)
        raise ConfigurationError(f"{names}: give a number above 0, at most 1 for shares, a million for hours")


def _print(load: "Load", found: "Size") -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for name, text in _lines(load, found):
        table.add_row(name, text)
    print_table(Screen(), table)


def _lines(load: "Load", found: "Size") -> list[tuple[str, str]]:
    limit = {"device": "the devices' speed", "host": "the host's work on each job"}[found.devices_limited_by]
    each = (
        f"{found.cores_per_process} cores, {_bytes(found.memory_bytes_per_process)} of memory and the model's size"
    )
    each = f"{each}, {_bytes(found.scratch_bytes_per_process)} of scratch disk"
    kept = f"{_bytes(found.broker_storage_bytes)} in all for {load.keep_records_days:g} days"
    flow = f"{_bytes(found.broker_in_bytes_per_second)}/s in, {_bytes(found.broker_out_bytes_per_second)}/s out"
    requests = (
        f"{_rate(found.bucket_requests_per_second)} requests a second, {found.bucket_requests_per_day:,} a day"
    )
    audio = f"{_bytes(found.bucket_audio_bytes)} of audio ({load.keep_audio_days:g} days)"
    results = f"{_bytes(found.bucket_result_bytes)} of results ({load.keep_results_days:g} days)"
    cost = found.cost_per_1000_hours
    return [
        ("jobs", f"{found.jobs_per_day:,} a day, {_rate(found.jobs_per_second)} a second in the busiest hour"),
        ("GPUs", f"{found.devices:,}, limited by {limit}"),
        ("transcribers", f"{found.processes:,}, one for each GPU"),
        ("each of them", each),
        ("partitions", f"{found.partitions:,} of audio.references and audio.objects, each"),
        ("brokers", f"{found.brokers} at least; {kept}, {flow}"),
        ("bucket", f"{requests}; {_bytes(found.fetched_bytes_per_second)}/s of audio"),
        ("bucket's size", f"{audio}, {results}"),
        (
            "cost",
            UNPRICED if cost is None else f"{cost:,.2f} for 1,000 hours of audio: GPUs alone, running all day",
        ),
    ]


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= TENS else f"{number:.2g}"


def _bytes(number: float) -> str:
    """Return a number of bytes with a decimal unit and three digits."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < THOUSAND:
            return f"{number:.3g} {unit}"
        number /= THOUSAND
    return f"{number:,.4g} PB"
