"""The ledger of one partition: what was received, what is complete, and so what may be committed.

Records are in flight side by side and complete in any order. Only offsets that were *received* count: holes
(compaction, transaction markers, retention) are never waited for. The offset to commit is the lowest incomplete
one, or when nothing is incomplete the one after the highest received. What is complete beyond it travels as the
commit's metadata (see ``gap_map``), so a successor skips it.

A ledger lives as long as the assignment of its partition: a revoked partition's ledger is thrown away, and late
results find none. Nothing here blocks, and nothing is safe to call from two threads at once.
"""

from collections import deque
from heapq import heappop, heappush
from typing import Final

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.gap_map import LONG_RUN_OFFSETS, METADATA_CHARACTERS_LIMIT, Ranges
from schemas.kafka.delivery import Commit

__all__ = ["Commit", "PartitionLedger"]

# The last stretch's count of bits.
_BITS_OVERHEAD_BYTES: Final = 3


class PartitionLedger:
    """The books of one partition from its assignment on.

    ``committed`` is what the broker has, if anything. ``characters_limit`` bounds the gap map alone: a caller
    that puts something else beside it into the metadata leaves room for that.
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
        # Every incomplete offset, and where it stands on a ruler on which no hole is wider than LONG_RUN_OFFSETS.
        self._incomplete: dict[int, int] = {}
        self._ruler = 0
        # A heap of the same offsets; those that completed are dropped when they come to its top.
        self._queue: list[int] = []
        self._known = _Known(gap_map.decode(committed.offset, committed.metadata) if committed else ())

    def receive(self, offset: int) -> bool:
        """Takes a record in. False: do not run it, for it was complete before, or it is in flight already.

        Offsets normally ascend. One that was passed and is complete is skipped; one below everything that is
        known means that the log began anew (a recreated topic, an offset out of range): the ledger goes on
        from there, because skipping would lose the new records.
        """
        if offset < self._position or not self._started:
            if self._started and offset >= self.watermark:
                return False
            self._begin_at(offset)
        self._ruler += min(offset - self._position + 1, LONG_RUN_OFFSETS)
        self._position = offset + 1
        self._changed = True
        if offset in self._incomplete or self._known.includes(offset):
            return False
        self._incomplete[offset] = self._ruler
        heappush(self._queue, offset)
        return True

    def complete(self, offset: int) -> None:
        """Records that nothing remains to be done for a record. Safe to repeat.

        An offset that is not in flight is ignored: it never moves the watermark.
        """
        if self._incomplete.pop(offset, None) is not None:
            self._changed = True

    def commit(self) -> Commit | None:
        """What the broker should be told; None when it knows already. Safe to repeat, cheap when unchanged."""
        if self._changed:
            watermark = self.watermark
            complete = self._complete_from(watermark)
            metadata = gap_map.encode(watermark, complete, characters_limit=self._characters_limit)
            self._commit = Commit(watermark, metadata)
            self._changed = False
        return None if self._commit == self._acknowledged else self._commit

    def on_confirmed(self, commit: Commit) -> None:
        """Notes that the broker has confirmed ``commit``."""
        self._acknowledged = commit

    def can_receive(self) -> bool:
        """Whether after one more record, however far its offset jumps, the gap map is sure to fit.

        True whenever nothing is in flight, so who waits for it goes on in the end.
        """
        return not self._incomplete or self._worst_case_bytes() <= self._body_bytes_limit

    @property
    def incomplete(self) -> int:
        """Records that are in flight."""
        return len(self._incomplete)

    @property
    def oldest_incomplete(self) -> int | None:
        """The offset that holds the watermark back; None when nothing is in flight."""
        return self.watermark if self._incomplete else None

    @property
    def watermark(self) -> int:
        """The offset to commit: below it everything that was received is complete."""
        while self._queue and self._queue[0] not in self._incomplete:
            heappop(self._queue)
        return self._queue[0] if self._queue else self._position

    @property
    def position(self) -> int:
        """The offset after the highest received; before anything was received, the committed one."""
        return self._position

    @property
    def window(self) -> int:
        """Offsets from the watermark to the highest received, holes included."""
        return max(0, self._position - self.watermark)

    def _begin_at(self, offset: int) -> None:
        """What is in flight stays: it still holds the watermark, and is not run twice when it comes again."""
        self._started = True
        self._position = offset
        self._known = _Known(())

    def _complete_from(self, watermark: int) -> Ranges:
        """Everything complete from the watermark on. A hole counts as complete, for nobody will ask for it."""
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
        """A bound of the map after one more record, whichever records complete before it is written.

        The bits layout takes a bit per offset, or 129 per incomplete one if that is less; the runs layout takes
        a byte per run and another for each seventh power of two in its length. The encoder picks the shorter.
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
    """What an earlier life of the partition had completed; forgotten range by range as the records come again.

    ``bits`` bounds what the remaining ranges, and the gaps before them, take in the bits layout.
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
        """Whether a record that is received was complete; forgets what lies below it."""
        while self._ranges and self._ranges[0][1] <= offset:
            self.bits -= self._ranges.popleft()[2]
        return bool(self._ranges) and self._ranges[0][0] <= offset

    def beyond(self, position: int) -> Ranges:
        """The ranges, and what is left of the first one, from ``position`` on."""
        return [(max(first, position), end) for first, end, _ in self._ranges if end > position]


def _joined(ranges: Ranges, further: Ranges) -> Ranges:
    """Both, one after the other; one range where they touch."""
    if ranges and further and ranges[-1][1] == further[0][0]:
        return [*ranges[:-1], (ranges[-1][0], further[0][1]), *further[1:]]
    return [*ranges, *further]
