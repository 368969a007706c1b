"""Inference engine: rows in, futures resolved. Only its worker threads, one per replica, call the model."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.whisper.model import DeviceLost, Model, OutOfMemory
from models.whisper.rows import Align, Row
from models.whisper.scheduler import Scheduler
from schemas.clock import Clock
from schemas.errors import ENGINE, DependencyDown, EngineFailed, JobError

GROW_AFTER_BATCHES: Final = 256
"""Full batches without running out of memory before one more row is tried."""

BROKEN_AFTER_JOBS: Final = 8
"""Jobs with rows that failed alone, with no success in between, after which the model counts as broken."""

CLOSE_SECONDS: Final = 10.0
"""Time for running calls to end when the process stops."""

AnyRow = Row[Any]


@dataclass(frozen=True, slots=True)
class _Call:
    rows: Sequence[AnyRow]
    started_at: float


class Engine:
    """Batches shared by all jobs. Every method may be called from any thread."""

    def __init__(
        self, model: Model, *, replicas: int, batch_rows: int, hang_timeout_seconds: float, clock: Clock
    ) -> None:
        self._model = model
        self._batch_rows_limit = batch_rows
        self._batch_rows = batch_rows  # rows that a batch may have now; running out of memory halves it
        self._full_batches = 0
        self._hang_timeout_seconds = hang_timeout_seconds
        self._clock = clock
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        self._closed = False
        self._calls: dict[int, _Call] = {}
        self._failed_jobs: set[int] = set()
        self._broken_by: Sequence[AnyRow] | None = None
        self._workers = [
            threading.Thread(target=self._run_worker, args=(number,), name=f"whisper-{number}", daemon=True)
            for number in range(replicas)
        ]
        for worker in self._workers:
            worker.start()

    def submit(self, row: AnyRow, *, first: bool = False) -> None:
        """Queue a row; its future gets a result or EngineFailed. Does not block.

        Raises EngineFailed when the engine is closed.
        """
        with self._changed:
            if self._closed:
                raise EngineFailed("the engine is shut down")
            self._scheduler.add(row, first=first)
            self._changed.notify()

    def cancel(self, job: object) -> None:
        """Cancel the queued rows of a job. Rows in a running call finish, and their results are dropped."""
        with self._changed:
            cancelled = self._scheduler.remove(job)
        for row in cancelled:
            row.future.cancel()

    def is_healthy(self) -> bool:
        """Return whether no call exceeds the hang timeout and the model works.

        A call cannot be interrupted and a lost device stays lost, so only a new process recovers from either.
        """
        with self._changed:
            return self._rows_at_fault() is None

    def failure_for(self, job: object) -> JobError | None:
        """Return why a job cannot continue; None while the engine is healthy.

        EngineFailed for jobs with rows in the failed call: these may be the cause, so their attempts are bounded.
        DependencyDown for all others: they wait for the new process.
        """
        with self._changed:
            at_fault = self._rows_at_fault()
        if at_fault is None:
            return None
        if any(row.job is job for row in at_fault):
            return EngineFailed("a call of the model hangs, or broke it; the process must be replaced")
        return DependencyDown(ENGINE, "the model no longer responds; the process must be replaced")

    def queued_rows(self) -> int:
        """Return the number of rows that wait for a batch."""
        with self._changed:
            return len(self._scheduler)

    def close(self) -> bool:
        """Stop the workers after their running calls and cancel queued rows. Safe to repeat.

        Blocks for ``CLOSE_SECONDS`` at most. Returns whether all calls have ended; if not, the model must stay
        loaded.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        deadline = self._clock.monotonic() + CLOSE_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, deadline - self._clock.monotonic()))
        with self._changed:
            left = list(iter(lambda: self._scheduler.take(1), []))
        for batch in left:
            batch[0].future.cancel()
        return not any(worker.is_alive() for worker in self._workers)

    def _rows_at_fault(self) -> Sequence[AnyRow] | None:
        """Return the rows of calls that hang or broke the model; None when there is no such call."""
        if self._broken_by is not None:
            return self._broken_by
        latest = self._clock.monotonic() - self._hang_timeout_seconds
        return [row for call in self._calls.values() if call.started_at < latest for row in call.rows] or None

    def _run_worker(self, number: int) -> None:
        batch: Sequence[AnyRow] = ()
        try:
            while batch := self._next_batch(number):
                try:
                    self._run_batch(batch, number)
                finally:
                    with self._changed:
                        self._calls.pop(number, None)
        except BaseException as fatal:
            # Whatever the cause, queued rows would wait for a worker that no longer exists.
            self._break(batch, EngineFailed(f"the engine's thread died of {fatal!r}"))
            raise

    def _next_batch(self, number: int) -> list[AnyRow]:
        with self._changed:
            while not self._closed and self._broken_by is None:
                batch = [row for row in self._scheduler.take(self._batch_rows) if not row.future.cancelled()]
                if batch:
                    self._calls[number] = _Call(batch, self._clock.monotonic())
                    return batch
                if not len(self._scheduler):
                    self._changed.wait()
        return []

    def _run_batch(self, batch: Sequence[AnyRow], number: int) -> None:
        start = self._clock.monotonic()
        try:
            results = self._model.infer([row.encoder_input for row in batch], [row.operation for row in batch])
        except OutOfMemory as error:
            self._retry_smaller(batch, error)
            return
        except DeviceLost as error:
            self._break(batch, error)
            return
        except Exception as error:  # noqa: BLE001 - one row's failure must not end the worker or fail other rows
            self._isolate(batch, error, number)
            return
        self._on_success(batch)
        seconds = (self._clock.monotonic() - start) / len(batch)
        for row, result in zip(batch, results, strict=True):
            row.seconds = seconds
            if row.future.set_running_or_notify_cancel():
                row.future.set_result(result)

    def _retry_smaller(self, batch: Sequence[AnyRow], error: OutOfMemory) -> None:
        if len(batch) == 1:
            self._fail_single(batch[0], error)
            return
        with self._changed:
            self._batch_rows = max(1, len(batch) // 2)
            self._full_batches = 0
            for row in reversed(batch):
                self._scheduler.add(row, first=True)
            self._changed.notify_all()

    def _isolate(self, batch: Sequence[AnyRow], error: Exception, number: int) -> None:
        if len(batch) == 1:
            self._fail_single(batch[0], error)
            return
        for row in batch:  # run alone, all rows succeed except the one that caused the error
            with self._changed:
                if self._broken_by is not None:
                    return
                self._calls[number] = _Call([row], self._clock.monotonic())  # many short calls are not a hang
            self._run_batch([row], number)

    def _fail_single(self, row: AnyRow, error: Exception) -> None:
        with self._changed:
            # A failure to read or to align a row does not indicate a broken model.
            if not isinstance(error, OSError | JobError) and not isinstance(row.operation, Align):
                self._failed_jobs.add(id(row.job))
            broken = len(self._failed_jobs) >= BROKEN_AFTER_JOBS
        if broken:
            self._break([row], error)
        else:
            _fail(row, error)

    def _break(self, batch: Sequence[AnyRow], error: Exception) -> None:
        """End all inference. Queued rows stay unresolved; ``failure_for`` returns the reason to their jobs."""
        with self._changed:
            self._broken_by = batch
            self._changed.notify_all()
        for row in batch:
            _fail(row, error)

    def _on_success(self, batch: Sequence[AnyRow]) -> None:
        with self._changed:
            self._failed_jobs.clear()
            if len(batch) < self._batch_rows or self._batch_rows >= self._batch_rows_limit:
                return
            self._full_batches += 1
            if self._full_batches >= GROW_AFTER_BATCHES:
                self._batch_rows += 1
                self._full_batches = 0


def _fail(row: AnyRow, cause: Exception) -> None:
    error = EngineFailed(f"inference failed: {cause}")
    error.__cause__ = cause
    if not row.future.done() and row.future.set_running_or_notify_cancel():
        row.future.set_exception(error)
