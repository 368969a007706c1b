"""Composition of batches: which rows go into the next call. No threads, no time, no inference."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from models.whisper.rows import BatchKey, Row
from schemas.options import Lane

AnyRow = Row[Any]

BULK_TURN = 8
"""Every eighth batch begins with bulk work while interactive work waits, so that neither starves the other."""
LOOK_AHEAD_BATCHES = 4
"""Rows looked at per row taken, to put rows of like length together."""


class Scheduler:
    """Rows in line: by lane, and in each lane job by job in turn. Not safe for several threads."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, OrderedDict[object, deque[AnyRow]]] = {lane: OrderedDict() for lane in Lane}
        self._taken = 0

    def __len__(self) -> int:
        return sum(len(rows) for jobs in self._lanes.values() for rows in jobs.values())

    def add(self, row: AnyRow, *, first: bool = False) -> None:
        """Puts a row in its job's line; ``first`` puts it at the head (it was taken before and comes back)."""
        rows = self._lanes[row.lane].setdefault(row.job, deque())
        if first:
            rows.appendleft(row)
        else:
            rows.append(row)

    def withdraw(self, job: object) -> list[AnyRow]:
        """Takes a job's rows out of line."""
        withdrawn: list[AnyRow] = []
        for jobs in self._lanes.values():
            withdrawn += jobs.pop(job, ())
        return withdrawn

    def take(self, limit: int) -> list[AnyRow]:
        """The next batch, empty when nothing waits: the head of the line and up to ``limit`` - 1 that fit it.

        They share its key; among more than fit, those whose expected length is nearest to the head's.
        """
        lanes = self._lane_order()
        head = next((row for lane in lanes for row in self._in_turn(lane)), None)
        if head is None:
            return []
        self._taken += 1
        fitting = (row for lane in lanes for row in self._in_turn(lane, head.key) if row is not head)
        seen = list(islice(fitting, LOOK_AHEAD_BATCHES * limit)) if limit > 1 else []
        seen.sort(key=lambda row: abs(row.expected_tokens - head.expected_tokens))
        batch = [head, *seen[: limit - 1]]
        for row in batch:
            self._remove(row)
        return batch

    def _lane_order(self) -> tuple[Lane, ...]:
        bulk_first = self._taken % BULK_TURN == BULK_TURN - 1
        return (Lane.BULK, Lane.INTERACTIVE) if bulk_first else (Lane.INTERACTIVE, Lane.BULK)

    def _in_turn(self, lane: Lane, key: BatchKey | None = None) -> Iterator[AnyRow]:
        """The lane's rows, one of each job before the second of any."""
        lines = [iter(rows) for rows in self._lanes[lane].values()]
        while lines:
            going = []
            for line in lines:
                row = next((row for row in line if key is None or row.key == key), None)
                if row is not None:
                    yield row
                    going.append(line)
            lines = going

    def _remove(self, row: AnyRow) -> None:
        jobs = self._lanes[row.lane]
        jobs[row.job].remove(row)
        if jobs[row.job]:
            jobs.move_to_end(row.job)  # who was served goes to the end of the line
        else:
            del jobs[row.job]
