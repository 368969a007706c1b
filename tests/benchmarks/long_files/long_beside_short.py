"""A long recording and short ones behind it on the same partition, through real Kafka and MinIO.

What must hold: no rebalance although the recording takes much longer than ``max.poll.interval.ms``, bounded
memory, and the short files complete first.
"""

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.stack import Stack
from models.selftest import clips
from tests.benchmarks.long_files.long_file import repeated
from tests.benchmarks.long_files.memory import MIB, MemoryWatch, children
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

POLL_INTERVAL_MS: Final = 30_000
GROWTH_LIMIT_MIB: Final = 190
"""200 MB."""
REALTIME_FACTOR_FLOOR: Final = 4.0
"""A machine slower than this times real time fails instead of waiting forever."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result. Memory is that of the role and its children together, over what they held when ready."""

    audio_seconds: float
    short_files: int
    short_files_before_the_long_one: int
    rebalances_after_ready: int
    longest_poll_gap_bucket_seconds: float
    memory_growth_mib: float
    long_file_seconds: float

    def misses(self) -> list[str]:
        """List the required properties that do not hold."""
        found = {
            f"{self.rebalances_after_ready} rebalances": self.rebalances_after_ready > 0,
            f"only {self.short_files_before_the_long_one} short files first": (
                self.short_files_before_the_long_one < self.short_files
            ),
            f"memory grew by more than {GROWTH_LIMIT_MIB} MiB": self.memory_growth_mib > GROWTH_LIMIT_MIB,
        }
        return [sentence for sentence, is_missed in found.items() if is_missed]


def metrics(port: int) -> str:
    """Read the role's metrics page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def total(page: str, name: str) -> int:
    """Sum a counter over its labels."""
    return int(sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)))


def longest_bucket_seconds(page: str, name: str) -> float:
    """Return the upper bound of the highest bucket of a histogram that holds anything."""
    rows = re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', page, re.MULTILINE)
    everything = max(float(count) for _, count in rows)
    return min(float(bound) for bound, count in rows if float(count) == everything)


def measure(stack: PrivateStack, directory: Path, *, seconds: float, short_files: int) -> Outcome:
    """Run the scenario once. Blocks for as long as the long recording takes."""
    clip = next(clip.path for clip in clips() if clip.text)
    long_file = repeated(clip, directory / "long.mp3", seconds=seconds, pause_seconds=0)
    settings = {"KASCRIBE_KAFKA_MAX_POLL_INTERVAL_MS": str(POLL_INTERVAL_MS)}
    with (
        Pipeline(stack, directory, settings, partitions=1) as pipeline,
        MemoryWatch(lambda: (pipeline.role.pid, *children(pipeline.role.pid))) as memory,
    ):
        warm_bytes = memory.settled_bytes()
        rebalances = total(metrics(pipeline.role.health_port), "kascribe_rebalances_total")
        uri = pipeline.put(long_file.read_bytes(), name="long.mp3")
        pipeline.refer(uri, options={"beam_size": 1, "language": "en"})
        short_uris = {pipeline.put(clip.read_bytes(), name=f"{index}.ogg") for index in range(short_files)}
        for short in short_uris:
            pipeline.refer(short, options={"beam_size": 1, "language": "en", "initial_prompt": short[-9:]})
        done = eventually(
            lambda: next((event for event in pipeline.transcripts() if event.source.uri == uri), None),
            timeout_seconds=seconds / REALTIME_FACTOR_FLOOR + 120,
            interval_seconds=0.5,
            what=f"the long transcript ({pipeline.role.log})",
        )
        order = [event.source.uri for event in pipeline.transcripts()]
        page = metrics(pipeline.role.health_port)
        return Outcome(
            audio_seconds=done.audio_duration_seconds,
            short_files=short_files,
            short_files_before_the_long_one=len(short_uris & set(order[: order.index(uri)])),
            rebalances_after_ready=total(page, "kascribe_rebalances_total") - rebalances,
            longest_poll_gap_bucket_seconds=longest_bucket_seconds(page, "kascribe_poll_gap_seconds"),
            memory_growth_mib=round((memory.peak_bytes - warm_bytes) / MIB, 1),
            long_file_seconds=round(done.timing.total_seconds or 0.0, 1),
        )


@contextmanager
def private_stack(directory: Path) -> Iterator[PrivateStack]:
    """Run Kafka and MinIO for this run alone."""
    servers = Stack.up(directory / "stack", topics=())
    try:
        yield PrivateStack(servers, servers.s3())
    finally:
        servers.down(purge=True)


def main() -> int:
    """Print the outcome as JSON; return 1 when something does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.long_files.long_beside_short", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=4 * 3600.0, help="of the long recording")
    parser.add_argument("--short-files", type=int, default=100)
    chosen = parser.parse_args()
    with TemporaryDirectory(prefix="kascribe-long-") as name, private_stack(Path(name)) as stack:
        outcome = measure(stack, Path(name), seconds=chosen.seconds, short_files=chosen.short_files)
    print(json.dumps(asdict(outcome), indent=2))
    for sentence in outcome.misses():
        print(f"missed: {sentence}")
    return 1 if outcome.misses() else 0


if __name__ == "__main__":
    sys.exit(main())
