"""The engine: rows in, futures answered. One thread per replica is the only caller of the model."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from models.whisper.model import Model, OutOfMemory
from models.whisper.rows import Row
from models.whisper.scheduler import Scheduler
from schemas.errors import EngineFailed

GROW_AFTER_BATCHES = 256
"""Full batches without running out of memory before one row more is tried."""

CLOSE_SECONDS = 10.0
"""For running calls to end when the process stops."""

AnyRow = Row[Any]


class Engine:
    """Shares batches between all jobs. Every method may be called from any thread."""

    def __init__(
        self,
        model: Model,
        *,
        replicas: int,
        batch_rows: int,
        hang_timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._batch_rows_limit = batch_rows
        self._batch_rows = batch_rows
        self._clean_batches = 0
        self._hang_timeout_seconds = hang_timeout_seconds
        self._clock = clock
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        self._closed = False
        self._called_at: dict[int, float] = {}
        self._owners = [
            threading.Thread(target=self._own, args=(number,), name=f"whisper-{number}", daemon=True)
            for number in range(replicas)
        ]
        for owner in self._owners:
            owner.start()

    @property
    def batch_rows(self) -> int:
        """Rows that a batch may have now; running out of memory halves it."""
        return self._batch_rows

    def submit(self, row: AnyRow, *, first: bool = False) -> None:
        """Puts a row in line; its future is answered or fails with EngineFailed. Does not block."""
        with self._changed:
            if self._closed:
                raise EngineFailed("the engine is shut down")
            self._scheduler.add(row, first=first)
            self._changed.notify()

    def withdraw(self, job: object) -> None:
        """Forgets a job's rows; those in a running call finish for nobody."""
        with self._changed:
            withdrawn = self._scheduler.withdraw(job)
        for row in withdrawn:
            row.answer.cancel()

    def healthy(self) -> bool:
        """Whether no call has been running for longer than the hang timeout.

        A call cannot be interrupted: once this is false, only a new process helps.
        """
        now = self._clock()
        with self._changed:
            return all(now - called_at <= self._hang_timeout_seconds for called_at in self._called_at.values())

    def waiting(self) -> int:
        """Rows in line."""
        with self._changed:
            return len(self._scheduler)

    def close(self) -> bool:
        """Stops the owners after their running calls; rows in line are cancelled. Safe to repeat.

        Blocks for seconds at most. Whether all calls have ended: if not, the model must stay loaded.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSE_SECONDS
        for owner in self._owners:
            owner.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            left = list(iter(lambda: self._scheduler.take(1), []))
        for batch in left:
            batch[0].answer.cancel()
        return not any(owner.is_alive() for owner in self._owners)

    def _own(self, number: int) -> None:
        while batch := self._next(number):
            try:
                self._answer(batch, number)
            finally:
                self._called(number)

    def _next(self, number: int) -> list[AnyRow]:
        with self._changed:
            while not self._closed:
                batch = [row for row in self._scheduler.take(self._batch_rows) if not row.answer.cancelled()]
                if batch:
                    self._called_at[number] = self._clock()
                    return batch
                if not len(self._scheduler):
                    self._changed.wait()
        return []

    def _answer(self, batch: Sequence[AnyRow], number: int) -> None:
        start = self._clock()
        try:
            results = self._model.answer([row.sound for row in batch], [row.work for row in batch])
        except OutOfMemory as failed:
            self._shrink(batch, failed)
            return
        except Exception as failed:  # noqa: BLE001 - one row's failure must not end the owner, nor its neighbours
            self._isolate(batch, failed, number)
            return
        seconds = (self._clock() - start) / len(batch)
        for row, result in zip(batch, results, strict=True):
            row.seconds = seconds
            if row.answer.set_running_or_notify_cancel():
                row.answer.set_result(result)

    def _shrink(self, batch: Sequence[AnyRow], failed: OutOfMemory) -> None:
        if len(batch) == 1:
            _fail(batch[0], failed)
            return
        with self._changed:
            self._batch_rows = max(1, len(batch) // 2)
            self._clean_batches = 0
            for row in reversed(batch):
                self._scheduler.add(row, first=True)
            self._changed.notify_all()

    def _isolate(self, batch: Sequence[AnyRow], failed: Exception, number: int) -> None:
        if len(batch) == 1:
            _fail(batch[0], failed)
            return
        for row in batch:  # one of them is to blame: alone, the others go through
            with self._changed:
                self._called_at[number] = self._clock()  # a call of its own: many short ones are no hang
            self._answer([row], number)

    def _called(self, number: int) -> None:
        with self._changed:
            self._called_at.pop(number, None)
            if self._batch_rows < self._batch_rows_limit:
                self._clean_batches += 1
                if self._clean_batches >= GROW_AFTER_BATCHES:
                    self._batch_rows += 1
                    self._clean_batches = 0


def _fail(row: AnyRow, failed: Exception) -> None:
    error = EngineFailed(f"inference failed: {failed}")
    error.__cause__ = failed
    if row.answer.set_running_or_notify_cancel():
        row.answer.set_exception(error)
