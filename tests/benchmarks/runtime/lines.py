"""What a log line costs: microseconds of CPU time of one thread, the median of five rounds.

``python -m tests.benchmarks.runtime.lines`` prints the table. Lines are about a record, and go to /dev/null.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from consumers.runtime.execution import job_log
from consumers.runtime.offsets.books import Books
from consumers.runtime.partition import AssignedPartition, Flight
from consumers.runtime.ports import Job
from kascribe.process.log_file import LogFile
from kascribe.process.logs import configure_logs
from schemas.clock import SystemClock
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.trace import Trace
from schemas.settings import LogSettings

ROUNDS: Final = 5
LINES: Final = 5_000
_log: Final = structlog.get_logger(__name__)


def microseconds(write: Callable[[], object]) -> float:
    """Measure one call; CPU time, the median of five rounds."""
    return statistics.median(_one_round(write) for _ in range(ROUNDS))


def _one_round(write: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(LINES):
        write()
    return (time.thread_time() - started) / LINES * 1e6


def _completed() -> None:
    _log.info("job completed", reused=False, transcript_uri="s3://kascribe/results/transcripts/5f1c0d7a.json")


def _flight() -> Flight:
    record = Record("audio.references", 3, 123_456, b"key", b"{}", (), 0)
    books = Books(None, holder="benchmark", wary_records=1, killer_attempts=3, is_alive=lambda _: True)
    partition = AssignedPartition(("audio.references", 3), books, epoch=1)

    def make_job(flight: Flight) -> Job:
        return Job(
            flight.record,
            flight.origin,
            flight.attempt,
            Trace.start(),
            report=lambda _: None,
            weigh=lambda _: None,
            cancelled=lambda: False,
            is_final=lambda _: False,
        )

    origin = Coordinates(record.topic, record.partition, record.offset)
    return Flight(record, partition, make_job, origin=origin, attempt=1, taken_at=0.0)


def main() -> None:
    """Print the table."""
    library = logging.getLogger("kafka.consumer")
    with Path("/dev/null").open("w") as nothing, tempfile.TemporaryDirectory() as folder:
        file = LogFile(
            Path(folder) / "kascribe.log",
            limit_bytes=100 * 1024**2,
            kept_files=2,
            clock=SystemClock(),
            on_change=lambda: None,
        )
        secrets = [f"secret number {number}" for number in range(5)]
        settings = LogSettings(format="json")
        with job_log.about(_flight()):
            configure_logs(settings, stream=nothing, secrets=secrets)
            rows: dict[str, float] = {
                "below the level that is written": microseconds(lambda: _log.debug("record skipped")),
                "a line": microseconds(_completed),
                "a repeated line that is left out": microseconds(
                    lambda: _log.warning("bucket poll failed", error="connection refused")
                ),
                "a library's line that is left out": microseconds(
                    lambda: library.error("127.0.0.1:9092/1: Connect failed: refused (after 0ms)")
                ),
            }
            configure_logs(settings, stream=nothing, secrets=secrets, file=file)
            rows["a line, and in a log file too"] = microseconds(_completed)
    for what, cost in rows.items():
        print(f"{what:36} {cost:7.1f} us")


if __name__ == "__main__":
    main()
