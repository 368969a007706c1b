"""The engine: rows in, futures answered. One thread per replica is the only caller of the model."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.whisper.model import DeviceLost, Model, OutOfMemory
from models.whisper.rows import Align, Row
from models.whisper.scheduler import Scheduler
from schemas.errors import ENGINE, DependencyDown, EngineFailed, JobError

GROW_AFTER_BATCHES = 256
"""Full batches without running out of memory before one row more is tried."""

BROKEN_AFTER_JOBS = 8
"""Jobs whose rows failed alone, and none was answered between them: it is the model that fails."""

CLOSE_SECONDS = 10.0
"""For running calls to end when the process stops."""

AnyRow = Row[Any]


@dataclass(frozen=True, slots=True)
class _Call:
    rows: Sequence[AnyRow]
    began_at: float


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
        self._full_batches = 0
        self._hang_timeout_seconds = hang_timeout_seconds
        self._clock = clock
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        self._closed = False
        self._calls: dict[int, _Call] = {}
        self._failed_jobs: set[int] = set()
        self._broken_by: Sequence[AnyRow] | None = None
        self._owners = [
            threading.Thread(target=self._own, args=(number,), name=f"whisper-{number}", daemon=True)
            for number in range(replicas)
        ]
        for owner in self._owners:
            owner.start()

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
        """Whether no call has been running for longer than the hang timeout, and the model answers.

        A call cannot be interrupted, and a device that is lost stays lost: then only a new process helps.
        """
        with self._changed:
            return self._guilty() is None

    def trouble(self, job: object) -> JobError | None:
        """Why a job cannot go on; None while the engine is healthy.

        EngineFailed for those whose rows the model did not bear, which may not be tried for ever; the others
        wait for the new process.
        """
        with self._changed:
            guilty = self._guilty()
        if guilty is None:
            return None
        if any(row.job is job for row in guilty):
            return EngineFailed("a call of the model hangs, or broke it; the process must be replaced")
        return DependencyDown(ENGINE, "the model answers no more; the process must be replaced")

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

    def _guilty(self) -> Sequence[AnyRow] | None:
        """The rows of the calls that hang or broke the model; None when there is no such call."""
        if self._broken_by is not None:
            return self._broken_by
        latest = self._clock() - self._hang_timeout_seconds
        return [row for call in self._calls.values() if call.began_at < latest for row in call.rows] or None

    def _own(self, number: int) -> None:
        batch: Sequence[AnyRow] = ()
        try:
            while batch := self._next(number):
                try:
                    self._answer(batch, number)
                finally:
                    with self._changed:
                        self._calls.pop(number, None)
        except BaseException as died:
            # Whatever it was, rows would wait in line for an owner that is gone.
            self._break(batch, EngineFailed(f"the engine's thread died of {died!r}"))
            raise

    def _next(self, number: int) -> list[AnyRow]:
        with self._changed:
            while not self._closed and self._broken_by is None:
                batch = [row for row in self._scheduler.take(self._batch_rows) if not row.answer.cancelled()]
                if batch:
                    self._calls[number] = _Call(batch, self._clock())
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
        except DeviceLost as failed:
            self._break(batch, failed)
            return
        except Exception as failed:  # noqa: BLE001 - one row's failure must not end the owner, nor its neighbours
            self._isolate(batch, failed, number)
            return
        self._answered(batch)
        seconds = (self._clock() - start) / len(batch)
        for row, result in zip(batch, results, strict=True):
            row.seconds = seconds
            if row.answer.set_running_or_notify_cancel():
                row.answer.set_result(result)

    def _shrink(self, batch: Sequence[AnyRow], failed: OutOfMemory) -> None:
        if len(batch) == 1:
            self._failed_alone(batch[0], failed)
            return
        with self._changed:
            self._batch_rows = max(1, len(batch) // 2)
            self._full_batches = 0
            for row in reversed(batch):
                self._scheduler.add(row, first=True)
            self._changed.notify_all()

    def _isolate(self, batch: Sequence[AnyRow], failed: Exception, number: int) -> None:
        if len(batch) == 1:
            self._failed_alone(batch[0], failed)
            return
        for row in batch:  # one of them is to blame: alone, the others go through
            with self._changed:
                if self._broken_by is not None:
                    return
                self._calls[number] = _Call([row], self._clock())  # many short calls are no hang
            self._answer([row], number)

    def _failed_alone(self, row: AnyRow, failed: Exception) -> None:
        with self._changed:
            # What could not be read, or not be aligned, says nothing about the model.
            if not isinstance(failed, OSError | JobError) and not isinstance(row.work, Align):
                self._failed_jobs.add(id(row.job))
            broken = len(self._failed_jobs) >= BROKEN_AFTER_JOBS
        if broken:
            self._break([row], failed)
        else:
            _fail(row, failed)

    def _break(self, batch: Sequence[AnyRow], failed: Exception) -> None:
        """Ends all inference: what is in line is answered by nobody, and ``trouble`` says so."""
        with self._changed:
            self._broken_by = batch
            self._changed.notify_all()
        for row in batch:
            _fail(row, failed)

    def _answered(self, batch: Sequence[AnyRow]) -> None:
        with self._changed:
            self._failed_jobs.clear()
            if len(batch) < self._batch_rows or self._batch_rows >= self._batch_rows_limit:
                return
            self._full_batches += 1
            if self._full_batches >= GROW_AFTER_BATCHES:
                self._batch_rows += 1
                self._full_batches = 0


def _fail(row: AnyRow, failed: Exception) -> None:
    error = EngineFailed(f"inference failed: {failed}")
    error.__cause__ = failed
    if not row.answer.done() and row.answer.set_running_or_notify_cancel():
        row.answer.set_exception(error)
