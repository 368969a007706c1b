"""A history in memory: the double of the topic, with retention."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from tests.contract.jobs.history_suite import Log, moment


class ListedHistory:
    """An ``EventHistory`` of records in lists. ``reads`` counts the calls of ``read``."""

    def __init__(self) -> None:
        self._records: dict[int, list[Record]] = defaultdict(list)
        self._first: dict[int, int] = defaultdict(int)
        self._end: dict[int, int] = defaultdict(int)
        self.reads = 0
        self.failure: Exception | None = None

    def append(self, record: Record) -> None:
        """Store a record, at its own offset: offsets may have holes."""
        self._records[record.partition].append(record)
        self._end[record.partition] = record.offset + 1

    def delete_before(self, partition: int, offset: int) -> None:
        """Delete old records, as retention does."""
        self._first[partition] = offset
        self._records[partition] = [each for each in self._records[partition] if each.offset >= offset]

    def bounds(self, partition: int) -> tuple[int, int]:
        """As the protocol says."""
        return self._first[partition], self._end[partition]

    def offset_at(self, partition: int, moment: datetime) -> int | None:
        """As the protocol says."""
        records = self._records[partition]
        place = bisect_left(records, moment.timestamp() * 1000, key=lambda each: each.timestamp_ms)
        return records[place].offset if place < len(records) else self._end[partition]

    def read(self, partition: int, start: int, end: int, *, records_limit: int) -> tuple[list[Record], int]:
        """As the protocol says."""
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        found = [each for each in self._records[partition] if start <= each.offset < end][:records_limit]
        return found, found[-1].offset + 1 if len(found) == records_limit else end


class ListedLog(Log):
    """A log in memory."""

    def __init__(self) -> None:
        self.history: ListedHistory = ListedHistory()

    def send(self, partition: int, seconds: Sequence[int]) -> None:
        """As the suite says."""
        for second in seconds:
            offset = self.history.bounds(partition)[1]
            milliseconds = int(moment(second).timestamp() * 1000)
            self.history.append(
                Record(Topics().progress, partition, offset, b"k", b"%d" % second, (), milliseconds)
            )
