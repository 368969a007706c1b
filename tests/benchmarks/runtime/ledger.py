"""What the ledger costs: microseconds per record, characters per window.

``python -m tests.benchmarks.runtime.ledger`` prints both tables; CPU time of one thread, no broker, seeded.
"""

import random
import statistics
import time
from collections.abc import Iterator
from typing import Final

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.ledger import PartitionLedger
from schemas.kafka.delivery import Commit

RECORDS: Final = 200_000
COMMIT_EVERY_RECORDS: Final = 20_000
"""What 40,000 records per second leave between two commits at the default interval of half a second."""

ROUNDS: Final = 5


def completion_order(in_flight: int, *, seed: int = 1) -> list[tuple[int, int]]:
    """Return pairs of an offset to receive and one to complete, drawn from those in flight."""
    chance = random.Random(seed)
    waiting: list[int] = []
    pairs = []
    for offset in range(RECORDS):
        waiting.append(offset)
        if len(waiting) > in_flight:
            index = chance.randrange(len(waiting))
            waiting[index], waiting[-1] = waiting[-1], waiting[index]
            pairs.append((offset, waiting.pop()))
        else:
            pairs.append((offset, -1))
    return pairs


def microseconds_per_record(in_flight: int) -> float:
    """Measure receiving, completing and the commit's share of one record; CPU time, the median of five rounds."""
    pairs = completion_order(in_flight)
    return statistics.median(_one_round(pairs) for _ in range(ROUNDS))


def _one_round(pairs: list[tuple[int, int]]) -> float:
    ledger = PartitionLedger(committed=Commit(0))
    started = time.thread_time()
    for offset, done in pairs:
        ledger.receive(offset)
        if done >= 0:
            ledger.complete(done)
        if offset % COMMIT_EVERY_RECORDS == 0 and (commit := ledger.commit()) is not None:
            ledger.on_confirmed(commit)
    return (time.thread_time() - started) / RECORDS * 1e6


def windows() -> Iterator[tuple[str, int, list[tuple[int, int]]]]:
    """Return name, records and complete ranges of windows to encode."""
    for records, share in (
        (64, 0.5),
        (1_000, 0.5),
        (1_000, 0.9),
        (10_000, 0.99),
        (26_000, 0.5),
        (26_000, 0.99),
        (100_000, 0.99),
        (100_000, 0.999),
    ):
        chance = random.Random(records)
        ledger = PartitionLedger(committed=Commit(0))
        ledger.receive(0)
        for offset in range(1, records):
            ledger.receive(offset)
            if chance.random() < share:
                ledger.complete(offset)
        yield f"{share:.1%} complete", records, list(ledger._complete_from(0))
    yield "one incomplete", 1_000_000, [(1, 1_000_000)]


def main() -> None:
    """Print both tables."""
    print("in flight   us/record")
    for in_flight in (1, 64, 1_000, 10_000):
        print(f"{in_flight:9,}   {microseconds_per_record(in_flight):9.2f}")
    print("\n  records   window            characters   encode ms   decode ms")
    for name, records, complete in windows():
        started = time.thread_time()
        metadata = gap_map.encode(0, complete)
        encoded = time.thread_time()
        known = gap_map.decode(0, metadata)
        decoded = time.thread_time()
        assert list(known) == complete
        milliseconds = (encoded - started) * 1e3, (decoded - encoded) * 1e3
        print(f"{records:9,}   {name:15}   {len(metadata):10,}   {milliseconds[0]:9.2f}   {milliseconds[1]:9.2f}")


if __name__ == "__main__":
    main()
