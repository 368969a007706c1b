"""``make bench-scale``: 1, 2 and 4 transcribers with timed devices, and a rolling restart of four under load.

Everything but the engine is the product's: runtime, claims, requests to the bucket, events. A device takes a fixed
time for each job without CPU, so throughput is limited by the devices as long as the host's work fits the cores:
the table says how many cores it took, and where the limit lies. Decoders do not run. Figures need an idle machine.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from deploy.stack import Stack
from tests.benchmarks.simulation.scale.system import Bench, longest_gaps

COUNTS = (1, 2, 4)
RAMP_SECONDS = 3.0
BACKLOG = 1.6
"""Jobs published for each that the devices can do in the time measured, so that no partition runs dry."""

BUSY_SHARE = 0.8
"""Of the jobs; while the rest is done, some partitions are empty already."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each number of processes, then the restart; return 1 when a job was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.simulation.scale", description=__doc__)
    parser.add_argument("--device-ms", type=float, default=250.0, help="the device's time for a job")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of measuring")
    parser.add_argument("--count", type=int, action="append", help="processes; may be repeated")
    parser.add_argument("--backlog-seconds", type=float, default=100.0, help="work that waits at the restart")
    parser.add_argument("--only", choices=["throughput", "restart"], help="one of the two parts")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers end with this process, however it ends
    with tempfile.TemporaryDirectory(prefix="kascribe-scale-") as directory:
        stack = Stack.up(Path(directory) / "stack", topics=())
        try:
            if chosen.only != "restart":
                throughput(stack, Path(directory), chosen)
            bad = rolling_restart(stack, Path(directory), chosen) if chosen.only != "throughput" else 0
        finally:
            stack.down(purge=True)
    return int(bad > 0)


def throughput(stack: Stack, directory: Path, chosen: argparse.Namespace) -> None:
    """Print jobs per second, efficiency, balance and processor time for each number of processes."""
    seconds = chosen.device_ms / 1_000
    print(f"a device does {1 / seconds:g} jobs a second; {_cores()} cores; load {os.getloadavg()[0]:.1f}")
    print("processes  jobs/s  of devices  jobs of each process        cores  CPU ms/job  shared after  load")
    for count in chosen.count or COUNTS:
        with Bench(stack, directory / f"of-{count}", seconds) as bench, bench.running(count) as workers:
            shared_after = bench.await_shares(workers)
            bench.publish(round(BACKLOG * count * (RAMP_SECONDS + chosen.seconds) / seconds))
            bench.collect(until=time.monotonic() + RAMP_SECONDS)
            bench.done.clear()
            began_at, cpu = time.monotonic(), sum(each.cpu_seconds() for each in workers)
            bench.collect(until=began_at + chosen.seconds)
            lasted, cpu = time.monotonic() - began_at, sum(each.cpu_seconds() for each in workers) - cpu
            done = len(bench.done)
            balance = ", ".join(map(str, sorted(Counter(found.worker for found in bench.done).values())))
            rate, cpu_ms = done / lasted, cpu / max(1, done) * 1_000
            print(
                f"{count:>9} {rate:>7.1f} {rate * seconds / count:>11.1%}  {balance:<26} "
                f"{cpu / lasted:>6.2f} {cpu_ms:>11.0f} {shared_after:>11.1f} s {os.getloadavg()[0]:>5.1f}",
                flush=True,
            )
    print(
        f"the last line's time of the processor per job lets these cores do {1_000 * _cores() / cpu_ms:.0f} jobs/s"
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def rolling_restart(stack: Stack, directory: Path, chosen: argparse.Namespace) -> int:
    """Restart four processes one after another under load; print the cost, and return the jobs that went wrong."""
    seconds, count = chosen.device_ms / 1_000, 4
    with Bench(stack, directory / "restart", seconds) as bench, bench.running(count) as workers:
        bench.await_shares(workers)
        # Enough for the whole restart: where the queue runs dry, a pause would not be the hand-over's.
        bench.publish(round(count * chosen.backlog_seconds / seconds))
        bench.collect(until=time.monotonic() + RAMP_SECONDS)
        began_at, began = time.monotonic(), time.time()
        stops, starts = [], []
        for number, worker in enumerate(list(workers)):
            stopping_at = time.monotonic()
            worker.stop()
            stops.append(time.monotonic() - stopping_at)
            starting_at = time.monotonic()
            replacement = bench.start(f"w{number + 1}b")
            while not replacement.is_ready():
                bench.collect(until=time.monotonic() + 0.2)
            starts.append(time.monotonic() - starting_at)
        ended_at, ended = time.monotonic(), time.time()
        deadline = ended_at + len(bench.published) * seconds / count + 60
        while len({each.job for each in bench.done}) < len(bench.published) and time.monotonic() < deadline:
            bench.collect(until=time.monotonic() + 0.5)
        arrived = Counter(each.job for each in bench.done)
        lost, doubled = len(bench.published) - len(arrived), sum(arrived.values()) - len(arrived)
        redone = bench.runs - len(arrived)
        # Up to where work ran short: from there on, a pause is not the hand-over's.
        moments = sorted(each.at for each in bench.done)
        ended = min(ended, moments[round(BUSY_SHARE * len(moments)) - 1]) if moments else ended
        gaps = longest_gaps(bench.done, begin=began, end=ended)
    print(f"rolling restart of {count} processes, {len(bench.published)} jobs, {ended_at - began_at:.0f} s:")
    print(f"  lost {lost}, published twice {doubled}, done again {redone}")
    print(f"  from SIGTERM to the end {median(stops):.1f} s, from start to ready {median(starts):.1f} s")
    print(
        f"  longest time without a transcript of a partition: {median(gaps):.1f} s (median), {max(gaps):.1f} s "
        f"(worst); load {os.getloadavg()[0]:.1f}"
    )
    return lost + doubled


if __name__ == "__main__":
    sys.exit(main())
