"""What every ``EventHistory`` promises; run on the double, on the embedded broker and on a real one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from producers.gateway.events.ports import EventHistory

FIRST = datetime(2026, 11, 22, 12, tzinfo=UTC)


def moment(second: int) -> datetime:
    """Return a moment."""
    return datetime.fromtimestamp(FIRST.timestamp() + second, UTC)


class Log(ABC):
    """A topic of two partitions that a test fills; ``history`` reads it."""

    history: EventHistory

    @abstractmethod
    def send(self, partition: int, seconds: Sequence[int]) -> None:
        """Append a record for each second, written then, its value the second; return when they are stored."""


class HistorySuite:
    """Inherit it, and provide a fixture ``log``."""

    searches_by_time = True

    def test_an_empty_partition_has_no_records(self, log: Log) -> None:
        """Nothing waits for records to come."""
        assert log.history.bounds(1) == (0, 0)
        assert log.history.read(1, 0, 0, records_limit=10) == ([], 0)
        assert log.history.offset_at(1, moment(0)) == 0

    def test_records_are_read_up_to_the_end_that_was_named(self, log: Log) -> None:
        """Of one partition, in order, with the coordinates that cursors are made of."""
        log.send(0, range(5))
        log.send(1, [100])
        assert log.history.bounds(0) == (0, 5)
        records, following = log.history.read(0, 1, 4, records_limit=10)
        assert [(each.partition, each.offset, each.value) for each in records] == [
            (0, 1, b"1"),
            (0, 2, b"2"),
            (0, 3, b"3"),
        ]
        assert [each.timestamp_ms for each in records] == [int(moment(n).timestamp() * 1000) for n in (1, 2, 3)]
        assert following == 4

    def test_a_long_part_is_read_in_pieces(self, log: Log) -> None:
        """Each read continues where the last one ended, without a gap and without a repetition."""
        log.send(0, range(25))
        found: list[bytes | None] = []
        start = 0
        while start < 25:
            records, start = log.history.read(0, start, 25, records_limit=10)
            assert len(records) <= 10
            found += [each.value for each in records]
        assert found == [b"%d" % second for second in range(25)]

    def test_records_are_found_by_their_time(self, log: Log) -> None:
        """The first one at or after the moment; the end after the last; nothing from a broker that cannot tell."""
        log.send(0, [0, 10, 20])
        found = [log.history.offset_at(0, moment(second)) for second in (-5, 0, 5, 20, 21)]
        assert found == ([0, 0, 1, 2, 3] if self.searches_by_time else [None] * 5)

    def test_threads_read_at_the_same_time(self, log: Log) -> None:
        """Each gets what it asked for."""
        log.send(0, range(50))
        log.send(1, range(100, 150))
        with ThreadPoolExecutor(4) as threads:
            parts = list(threads.map(lambda n: log.history.read(n % 2, 0, 50, records_limit=99)[0], range(8)))
        for number, records in enumerate(parts):
            begin = 100 * (number % 2)
            assert [each.value for each in records] == [b"%d" % second for second in range(begin, begin + 50)]

    @pytest.fixture
    def log(self) -> Log:
        """Return an empty log."""
        raise NotImplementedError
