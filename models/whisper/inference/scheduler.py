"""Batch composition: which rows go into the next call. No threads, no time, no inference."""

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Final

from models.whisper.rows import BatchKey, Row
from schemas.options import Lane

BULK_TURN: Final = 8
"""Every eighth batch starts with bulk work while interactive work waits, so that neither starves the other."""
LOOK_AHEAD_BATCHES: Final = 4
"""Rows examined per row taken, to group rows of similar length."""
PASSED_OVER_LIMIT: Final = 8
"""Batches that may go before bulk rows that few others fit: a call for two rows takes a third of a full one's."""


class Scheduler:
    """Queued rows, by lane, within each lane round-robin by job, within a job by position. Not thread-safe.

    A window that needs another search, or its pieces, so go before the later windows of the job.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, OrderedDict[object, list[Row]]] = {lane: OrderedDict() for lane in Lane}
        self._taken = 0
        self._bulk_rows: Counter[BatchKey] = Counter()
        self._passed_over: dict[BatchKey, int] = {}

    def queued(self, lane: Lane | None = None) -> int:
        """Return the number of queued rows, of one lane or of all."""
        lanes = self._lanes.values() if lane is None else (self._lanes[lane],)
        return sum(len(rows) for jobs in lanes for rows in jobs.values())

    def add(self, row: Row) -> None:
        """Queue a row behind those of its job that are not later in the file."""
        insort(self._lanes[row.lane].setdefault(row.job, []), row, key=lambda each: each.position)
        if row.lane is Lane.BULK:
            self._bulk_rows[row.key] += 1

    def remove(self, job: object) -> list[Row]:
        """Remove all rows of a job and return them."""
        removed: list[Row] = []
        for jobs in self._lanes.values():
            removed += jobs.pop(job, ())
        for row in removed:
            self._forget(row)
        return removed

    def take(self, limit: int, lane: Lane | None = None) -> list[Row]:
        """Remove and return the next batch: the first row and up to ``limit`` - 1 that fit it; empty when idle.

        All share the first row's key. When more fit, those with the nearest expected length are taken. A bulk row
        whose key has less than half a batch is passed over for some batches while another key has more. With a
        ``lane``, only its rows are taken, and the turns of the lanes do not change.
        """
        lanes = self._lane_order() if lane is None else (lane,)
        head = self._head(lanes, limit)
        if head is None:
            return []
        if lane is None:
            self._taken += 1
        fitting = (row for lane in lanes for row in self._in_turn(lane, head.key) if row is not head)
        candidates = list(islice(fitting, LOOK_AHEAD_BATCHES * limit)) if limit > 1 else []
        candidates.sort(key=lambda row: abs(row.expected_tokens - head.expected_tokens))
        batch = [head, *candidates[: limit - 1]]
        for row in batch:
            self._remove_row(row)
        return batch

    def _head(self, lanes: tuple[Lane, ...], limit: int) -> Row | None:
        first = next((row for lane in lanes for row in self._in_turn(lane)), None)
        if first is None or first.lane is Lane.INTERACTIVE:
            return first
        fullest = max(self._bulk_rows, key=lambda key: self._bulk_rows[key])
        if self._is_due(first.key, limit) or self._bulk_rows[first.key] == self._bulk_rows[fullest]:
            self._passed_over[first.key] = 0
            return first
        for key in self._bulk_rows:
            if key != fullest:
                self._passed_over[key] = self._passed_over.get(key, 0) + 1
        return next(self._in_turn(Lane.BULK, fullest))

    def _is_due(self, key: BatchKey, limit: int) -> bool:
        """Return whether a key has enough rows for a call, or has waited for more long enough."""
        return 2 * self._bulk_rows[key] >= limit or self._passed_over.get(key, 0) >= PASSED_OVER_LIMIT

    def _lane_order(self) -> tuple[Lane, ...]:
        bulk_first = self._taken % BULK_TURN == BULK_TURN - 1
        return (Lane.BULK, Lane.INTERACTIVE) if bulk_first else (Lane.INTERACTIVE, Lane.BULK)

    def _in_turn(self, lane: Lane, key: BatchKey | None = None) -> Iterator[Row]:
        """Yield the lane's rows, one of each job before the second of any."""
        remaining = [iter(rows) for rows in self._lanes[lane].values()]
        while remaining:
            unfinished = []
            for rows in remaining:
                row = next((row for row in rows if key is None or row.key == key), None)
                if row is not None:
                    yield row
                    unfinished.append(rows)
            remaining = unfinished

    def _remove_row(self, row: Row) -> None:
        self._forget(row)
        jobs = self._lanes[row.lane]
        jobs[row.job].remove(row)
        if jobs[row.job]:
            jobs.move_to_end(row.job)  # a job that was served goes to the back
        else:
            del jobs[row.job]

    def _forget(self, row: Row) -> None:
        if row.lane is Lane.BULK:
            self._bulk_rows[row.key] -= 1
            if not self._bulk_rows[row.key]:
                del self._bulk_rows[row.key]
                self._passed_over.pop(row.key, None)
