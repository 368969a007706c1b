"""``make bench-archive``: 100,000 jobs in SQLite and in a real PostgreSQL, filled, listed and searched."""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import text

from consumers.archive.database import ArchiveDatabase
from kascribe.wiring.archive import opened_archive, opened_for_writing
from producers.archive.reads import ArchiveReads
from schemas.settings import ArchiveSettings
from tests.benchmarks.archive.corpus import jobs
from tests.benchmarks.archive.measuring import Times, fill, measure
from tests.support.postgresql import running_postgresql

GOAL_MS = 50.0


def main() -> None:
    """Print one table for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    arguments = parser.parse_args()
    for name in arguments.database or ("sqlite", "postgresql"):
        with _settings_of(name) as settings:
            run(name, settings, count=arguments.jobs, runs=arguments.runs)


def run(name: str, settings: ArchiveSettings, *, count: int, runs: int) -> list[Times]:
    """Fill and measure one archive, print the table, and return it."""
    with opened_for_writing(settings) as engine:
        database = ArchiveDatabase(engine)
        database.prepare(now_ms=time.time_ns() // 1_000_000)
        rate = fill(database, jobs(count))
        database.tidy()
        with engine.connect() as connection:
            size_bytes = connection.scalar(text(_SIZE[engine.dialect.name])) or 0
    load = os.getloadavg()[0]
    print(
        f"\n{name}: {count:,} jobs, {rate:,.0f} written a second, {size_bytes / 1024**2:,.0f} MiB, load {load:.1f}"
    )
    print("\n| question | median ms | p95 ms | found |\n|---|---|---|---|")
    with opened_archive(settings) as engine:
        table = []
        for times in measure(ArchiveReads(engine), count=count, runs=runs):
            table.append(times)
            late = " (over the goal)" if times.p95 > GOAL_MS else ""
            print(f"| {times.name} | {times.median:.1f} | {times.p95:.1f}{late} | {times.found} |")
    return table


@contextmanager
def _settings_of(name: str) -> Iterator[ArchiveSettings]:
    if name == "postgresql":
        with running_postgresql(fsync="on") as server:
            yield ArchiveSettings(url=SecretStr(server.new_database()))
        return
    with tempfile.TemporaryDirectory(prefix="kascribe-archive-") as directory:
        yield ArchiveSettings(url=SecretStr(f"sqlite:///{Path(directory)}/archive.db"))


_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}

if __name__ == "__main__":
    main()
