"""The ledger of one partition: which offsets were received and completed, and what to commit for them.

Records run concurrently and complete in any order. Only *received* offsets count; the ledger never waits for holes
(compaction, transaction markers, retention). The offset to commit is the lowest incomplete one, or, if none is
incomplete, the one after the highest received. Complete offsets beyond it go into the commit's metadata (see
``gap_map``), so that a successor skips them.

A ledger belongs to one assignment of its partition: when the partition is revoked, the ledger is discarded, and
late results find none. Nothing here blocks; nothing is thread-safe.
"""

from collections import deque
from heapq import heappop, heappush
from typing import Final

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.gap_map import LONG_RUN_OFFSETS, METADATA_CHARACTERS_LIMIT, Ranges
from schemas.kafka.delivery import Commit

# For the bit count of the last stretch.
_BITS_OVERHEAD_BYTES: Final = 3


class PartitionLedger:
    """The offsets of one partition from its assignment on.

    ``committed`` is the broker's commit, None if there is none. ``characters_limit`` bounds the gap map alone: a
    caller that adds other text to the metadata reserves room for it.
    """

    def __init__(
        self, *, committed: Commit | None = None, characters_limit: int = METADATA_CHARACTERS_LIMIT
    ) -> None:
        self._characters_limit = characters_limit
        self._body_bytes_limit = gap_map.body_bytes_limit(characters_limit)
        self._acknowledged = committed
        self._commit = committed
        self._changed = False
        self._started = committed is not None
        self._position = committed.offset if committed else 0
        # Every incomplete offset, with its place on a ruler on which no hole is wider than LONG_RUN_OFFSETS.
        self._incomplete: dict[int, int] = {}
        self._ruler = 0
        # A heap of the same offsets; completed ones are dropped when they reach its top.
        self._queue: list[int] = []
        self._known = _Known(gap_map.decode(committed.offset, committed.metadata) if committed else ())

    def receive(self, offset: int) -> bool:
        """Register a polled record. False: do not run it, because it is complete or in flight already.

        Offsets normally ascend. A repeated offset at or above the watermark is skipped. One below the watermark
        means that the log has restarted (a recreated topic, an offset out of range): the ledger continues from
        there, because skipping would lose the new records.
        """
        if offset < self._position or not self._started:
            if self._started and offset >= self.watermark:
                return False
            self._restart_at(offset)
        self._ruler += min(offset - self._position + 1, LONG_RUN_OFFSETS)
        self._position = offset + 1
        self._changed = True
        if offset in self._incomplete or self._known.includes(offset):
            return False
        self._incomplete[offset] = self._ruler
        heappush(self._queue, offset)
        return True

    def complete(self, offset: int) -> None:
        """Mark a record as complete. Safe to repeat.

        An offset that is not in flight is ignored: it never moves the watermark.
        """
        if self._incomplete.pop(offset, None) is not None:
            self._changed = True

    def commit(self) -> Commit | None:
        """Return the commit to make; None if the broker has it already. Safe to repeat, cheap when unchanged."""
        if self._changed:
            watermark = self.watermark
            complete = self._complete_from(watermark)
            metadata = gap_map.encode(watermark, complete, characters_limit=self._characters_limit)
            self._commit = Commit(watermark, metadata)
            self._changed = False
        return None if self._commit == self._acknowledged else self._commit

    def on_confirmed(self, commit: Commit) -> None:
        """Note that the broker has confirmed ``commit``."""
        self._acknowledged = commit

    def can_receive(self) -> bool:
        """Return whether the gap map still fits after one more record, however far its offset jumps.

        Always true when nothing is in flight, so a waiting caller cannot wait forever.
        """
        return not self._incomplete or self._worst_case_bytes() <= self._body_bytes_limit

    @property
    def oldest_incomplete(self) -> int | None:
        """The lowest offset in flight, which holds the watermark back; None if nothing is in flight."""
        return self.watermark if self._incomplete else None

    @property
    def watermark(self) -> int:
        """The offset to commit: every received offset below it is complete."""
        while self._queue and self._queue[0] not in self._incomplete:
            heappop(self._queue)
        return self._queue[0] if self._queue else self._position

    @property
    def position(self) -> int:
        """The offset after the highest received; the committed one before the first record."""
        return self._position

    @property
    def window(self) -> int:
        """The number of offsets from the watermark to the highest received, holes included."""
        return max(0, self._position - self.watermark)

    def _restart_at(self, offset: int) -> None:
        """Continue at ``offset``. Records in flight stay: they hold the watermark, and do not run twice."""
        self._started = True
        self._position = offset
        self._known = _Known(())

    def _complete_from(self, watermark: int) -> Ranges:
        """Return all complete offsets from the watermark on. Holes count as complete: they are never received."""
        ranges = []
        first = watermark
        for offset in sorted(self._incomplete):
            if offset >= self._position:
                break
            if first < offset:
                ranges.append((first, offset))
            first = offset + 1
        if first < self._position:
            ranges.append((first, self._position))
        return _joined(ranges, self._known.beyond(self._position))

    def _worst_case_bytes(self) -> int:
        """Return an upper bound of the map after one more record, whichever records complete before it is written.

        The bits layout takes one bit per offset, or 129 per incomplete offset if that is less; the runs layout
        takes one byte per run and another for every seven bits of its length. The encoder picks the shorter.
        """
        watermark = self.watermark
        width_bits = self._ruler - self._incomplete[watermark]
        gaps_bits = len(self._incomplete) * (1 + LONG_RUN_OFFSETS)
        bits = min(width_bits, gaps_bits) + self._known.bits + LONG_RUN_OFFSETS
        runs = 2 * (len(self._incomplete) + len(self._known)) + 3
        width = max(self._position, self._known.end) - watermark
        runs_bytes = runs + min(runs, width >> 7) + min(runs, width >> 14) + min(runs, width >> 21) * 8 + 10
        return min((bits + 7) // 8 + _BITS_OVERHEAD_BYTES, runs_bytes)


class _Known:
    """Offsets completed by earlier holders, dropped range by range as their records are received again.

    ``bits`` bounds the size of the remaining ranges, and of the gaps before them, in the bits layout.
    """

    def __init__(self, ranges: Ranges) -> None:
        self._ranges: deque[tuple[int, int, int]] = deque()
        end = -LONG_RUN_OFFSETS
        for first, after_last in ranges:
            bits = min(first - end, LONG_RUN_OFFSETS) + min(after_last - first, LONG_RUN_OFFSETS)
            self._ranges.append((first, after_last, bits))
            end = after_last
        self.bits = sum(bits for _, _, bits in self._ranges)
        self.end = ranges[-1][1] if ranges else 0

    def __len__(self) -> int:
        return len(self._ranges)

    def includes(self, offset: int) -> bool:
        """Return whether a received record is complete already; drop the ranges below it."""
        while self._ranges and self._ranges[0][1] <= offset:
            self.bits -= self._ranges.popleft()[2]
        return bool(self._ranges) and self._ranges[0][0] <= offset

    def beyond(self, position: int) -> Ranges:
        """Return the ranges from ``position`` on; the first one may be cut."""
        return [(max(first, position), end) for first, end, _ in self._ranges if end > position]


def _joined(ranges: Ranges, further: Ranges) -> Ranges:
    """Concatenate both; ranges that touch become one."""
    if ranges and further and ranges[-1][1] == further[0][0]:
        return [*ranges[:-1], (ranges[-1][0], further[0][1]), *further[1:]]
    return [*ranges, *further]
