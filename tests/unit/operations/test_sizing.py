"""The model of sizes: proportions, limits, and the page that shows it."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.commands.installation.size import SizeRow
from kascribe.operations import sizing
from kascribe.operations.sizing import Load, size

PAGE: Final = Path(__file__).parents[3] / "docs" / "sizing.md"
LOAD: Final = Load(hours_per_day=24_000, times_real_time=500.0, peak=1.0, utilisation=1.0)


def blocks() -> list[tuple[str, str]]:
    """Return the commands of the page, each with the output that the page shows."""
    found = re.findall(
        r"```console\n\$ kascribe (size [^\n]*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    return [(command, output) for command, output in found if output]


def test_devices_are_the_hours_over_the_speed() -> None:
    """A recording of ten minutes fills its windows but for the last one."""
    rows = math.ceil(600 / sizing.PACKED_SECONDS)
    exact = 24_000 * 6 * rows * sizing.PACKED_SECONDS / 500 / sizing.SECONDS_A_DAY
    assert size(LOAD).devices == math.ceil(exact) == 3
    assert size(LOAD).devices_limited_by == "device"
    assert size(replace(LOAD, peak=2.0, utilisation=0.8)).devices == math.ceil(exact * 2 / 0.8)


def test_short_clips_cost_a_window_each() -> None:
    """A clip of five seconds takes 28/5 of the time that its audio would take in a recording."""
    short = size(replace(LOAD, short_share=1.0, short_seconds=5.0))
    assert short.jobs_per_day == 24_000 * 720
    assert short.devices == math.ceil(24_000 * 720 * sizing.PACKED_SECONDS / 500 / sizing.SECONDS_A_DAY)


def test_very_fast_devices_wait_for_the_host() -> None:
    """Each job takes a process's interpreter for some milliseconds."""
    fast = size(replace(LOAD, short_share=1.0, short_seconds=5.0, times_real_time=1e6))
    jobs_per_second = 24_000 * 720 / sizing.SECONDS_A_DAY
    assert fast.devices_limited_by == "host"
    assert fast.devices == math.ceil(jobs_per_second * sizing.JOB_CPU_SECONDS / sizing.JOB_CPU_SHARE)


@pytest.mark.parametrize("hours", [1.0, 1_000.0, 1_000_000.0])
def test_everything_grows_with_the_hours(hours: float) -> None:
    """Ten times the hours never need less, and storage is proportional."""
    one, ten = size(replace(LOAD, hours_per_day=hours)), size(replace(LOAD, hours_per_day=10 * hours))
    assert ten.devices >= one.devices >= 1
    assert ten.partitions >= one.partitions >= sizing.PARTITIONS_A_PROCESS * one.processes
    assert ten.bucket_audio_bytes == pytest.approx(10 * one.bucket_audio_bytes)
    assert ten.broker_storage_bytes == pytest.approx(10 * one.broker_storage_bytes)
    assert ten.bucket_requests_per_day == pytest.approx(10 * one.bucket_requests_per_day, rel=0.01)


def test_long_recordings_are_read_in_parts() -> None:
    """One request more for each further part."""
    hour = replace(LOAD, recording_seconds=3_600.0, audio_bytes_per_second=32_000.0)
    parts = math.ceil(3_600 * 32_000 / (16 * 1024**2))
    assert size(hour).bucket_requests_per_day == 24_000 * (sizing.REQUESTS_A_JOB + parts - 1)


def test_there_is_no_cost_without_a_price() -> None:
    """And with one, it is that of the devices alone, which run all day."""
    assert size(LOAD).cost_per_1000_hours is None
    assert size(replace(LOAD, gpu_hour_price=2.0)).cost_per_1000_hours == pytest.approx(3 * 24 * 2.0 / 24)


def test_replicas_multiply_what_brokers_store() -> None:
    """What they receive of each other counts as well."""
    one, three = size(replace(LOAD, replicas=1)), size(LOAD)
    assert three.broker_storage_bytes == pytest.approx(3 * one.broker_storage_bytes, rel=1e-6)
    assert three.broker_in_bytes_per_second == pytest.approx(3 * one.broker_in_bytes_per_second)


@pytest.mark.parametrize(("command", "output"), blocks())
def test_the_page_shows_what_the_command_prints(command: str, output: str) -> None:
    """Numbers on it are computed, not written."""
    ran = CliRunner(env={"COLUMNS": "80"}).invoke(app, command.split())
    assert ran.exit_code == 0
    assert [line.rstrip() for line in ran.stdout.splitlines()] == output.splitlines()


def test_the_page_has_examples_and_every_constant() -> None:
    """A number that the model uses and the page does not explain would be a guess to its reader."""
    page = PAGE.read_text(encoding="utf-8")
    assert len(blocks()) >= 3
    named = [name for name in vars(sizing) if name.isupper() and not name.startswith(("HOURS_", "SECONDS_"))]
    assert [name for name in named if f"`{name}`" not in page] == []


def test_one_line_of_json_has_every_field() -> None:
    """Also the cost, which is null without a price."""
    ran = CliRunner().invoke(app, ["size", "1000", "--speed", "100", "--json"])
    row = SizeRow.model_validate_json(ran.stdout)
    assert row.cost_per_1000_hours is None
    assert row.devices == size(Load(1_000, 100.0)).devices


@pytest.mark.parametrize(
    "arguments", [["0", "--speed", "5"], ["2000000", "--speed", "5"], ["5", "--speed", "5", "--utilisation", "2"]]
)
def test_numbers_that_make_no_sense_are_wrong_usage(arguments: list[str]) -> None:
    """The error names the number."""
    ran = CliRunner().invoke(app, ["size", *arguments])
    assert ran.exit_code != 0
