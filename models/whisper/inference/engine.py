"""Inference engine: rows in, futures resolved. Only its threads call the model."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Final

import structlog

from models.whisper.inference.batch_limit import BatchLimit
from models.whisper.inference.features import FeatureBatch
from models.whisper.inference.observer import EngineObserver, NoObserver
from models.whisper.inference.ports import DeviceLost, Model, OutOfMemory
from models.whisper.inference.replicas import ReplicaGroup, Replicas
from models.whisper.inference.scheduler import Scheduler
from models.whisper.inference.watch import CallWatch
from models.whisper.rows import Call, Features, Heard, Row
from schemas.clock import Clock
from schemas.errors import ENGINE, ConfigurationError, DependencyDown, EngineFailed, JobError

BROKEN_AFTER_JOBS: Final = 8
"""Jobs with rows that failed alone, with no success in between, after which the model counts as broken."""

CLOSE_SECONDS: Final = 10.0
"""Time for running calls to end when the process stops."""

_log: Final = structlog.get_logger(__name__)
_Readable = Sequence[tuple[Row, Features]]


class Engine:
    """Batches shared by all jobs. Every method may be called from any thread.

    ``replicas`` calls of the model run at once, and ``kept_replicas`` more for interactive rows while these are
    busy. ``prepared_ahead`` further batches are put together during a call; the next begins as soon as it ends.
    """

    def __init__(
        self,
        model: Model,
        *,
        replicas: int,
        batch_rows: int,
        hang_timeout_seconds: float,
        clock: Clock,
        prepared_ahead: int = 0,
        kept_replicas: int = 0,
        observer: EngineObserver | None = None,
    ) -> None:
        self._model = model
        self._replicas = Replicas(replicas, kept_replicas)
        self._limit = BatchLimit(batch_rows)
        self._watch = CallWatch(hang_timeout_seconds=hang_timeout_seconds, clock=clock)
        self._clock = clock
        self._observer = observer or NoObserver()
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        self._closed = False
        self._failed_jobs: set[int] = set()
        self._broken_by: Sequence[Row] | None = None
        groups = [self._replicas.shared] * (replicas + prepared_ahead) + [self._replicas.kept] * kept_replicas
        self._workers = [
            threading.Thread(target=self._run_worker, args=[group], name=f"whisper-{number}", daemon=True)
            for number, group in enumerate(groups)
        ]
        for worker in self._workers:
            worker.start()

    def warm_up(self) -> None:
        """Run full batches on all replicas at once, and limit the batch to what fits. Blocks.

        Raises ConfigurationError when a single row does not fit, and what else the model raises.
        """
        while True:
            rows = self._limit.largest
            with ThreadPoolExecutor(len(self._replicas)) as pool:
                calls = [pool.submit(self._model.rehearse, rows) for _ in range(len(self._replicas))]
            errors = [error for call in calls if (error := call.exception()) is not None]
            for error in errors:
                if not isinstance(error, OutOfMemory):
                    raise error
            if not errors:
                return
            if rows == 1:
                raise ConfigurationError(
                    "the device has no memory for one window on each replica; set fewer KASCRIBE_WHISPER_REPLICAS"
                ) from errors[0]
            with self._changed:
                self._limit = BatchLimit(rows // 2)

    def submit(self, row: Row) -> None:
        """Queue a row; its future gets a result or EngineFailed. Does not block.

        Raises EngineFailed when the engine is closed.
        """
        with self._changed:
            if self._closed:
                raise EngineFailed("the engine is shut down")
            row.queued_at = self._clock.monotonic()
            self._scheduler.add(row)
            self._changed.notify_all()

    def cancel(self, job: object) -> None:
        """Cancel the queued rows of a job. Those that a worker has taken finish, and their results are dropped."""
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
            return self._scheduler.queued()

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

    def _rows_at_fault(self) -> Sequence[Row] | None:
        """Return the rows of calls that hang or broke the model; None when there is no such call."""
        return self._broken_by if self._broken_by is not None else self._watch.hanging_rows() or None

    def _run_worker(self, group: ReplicaGroup) -> None:
        rows: Sequence[Row] = ()
        try:
            while rows := self._next_batch(group):
                self._serve(rows, group)
                with self._changed:
                    group.serving -= 1
                    self._changed.notify_all()
        except BaseException as fatal:
            # Whatever the cause, queued rows would wait for a worker that no longer exists.
            self._break(rows, EngineFailed(f"the engine's thread died of {fatal!r}"))
            raise

    def _next_batch(self, group: ReplicaGroup) -> list[Row]:
        """Wait for a batch for a replica of this group. Empty when inference has ended."""
        with self._changed:
            while not self._has_ended():
                taken = self._replicas.take(group, self._scheduler, self._limit.rows)
                if rows := [row for row in taken if not row.future.cancelled()]:
                    group.serving += 1
                    self._changed.notify_all()  # the kept replicas' turn may have come
                    return rows
                if not taken:
                    self._changed.wait()
        return []

    def _serve(self, rows: Sequence[Row], group: ReplicaGroup) -> None:
        """Hear rows in one call; in smaller ones, where they do not fit or one of them fails."""
        waiting = deque([rows])
        while waiting and not self._has_ended():
            rows = waiting.popleft()
            readable = self._read(rows)
            rows = [row for row, _ in readable]
            if not rows:
                continue
            outcome = self._hear(readable, group)
            if outcome is None:
                waiting.appendleft(rows)
            elif isinstance(outcome, DeviceLost):
                self._break(rows, outcome)
            elif not isinstance(outcome, Exception):
                self._deliver(rows, outcome)
            elif len(rows) == 1:
                self._fail_alone(rows[0], outcome)
            elif isinstance(outcome, OutOfMemory):
                with self._changed:
                    self._limit.on_out_of_memory(len(rows))
                half = len(rows) // 2
                _log.warning("batch did not fit into the device's memory; halved", rows=len(rows))
                waiting.extendleft([rows[half:], rows[:half]])
            else:
                _log.warning("batch failed; its rows run one by one", rows=len(rows), error=str(outcome))
                waiting.extendleft([row] for row in reversed(rows))
        if self._broken_by is None:
            for row in chain.from_iterable(waiting):  # the engine was closed
                row.future.cancel()

    def _read(self, rows: Sequence[Row]) -> _Readable:
        """Return the rows with their features. Those without fail alone, as where the job has ended."""
        readable: list[tuple[Row, Features]] = []
        with self._watch.watched(rows):
            for row in rows:
                try:
                    readable.append((row, row.encoder_input.read()))
                except Exception as error:  # noqa: BLE001 - media may be hostile; it says nothing about the model
                    row.fail(error)
        return readable

    def _hear(self, readable: _Readable, group: ReplicaGroup) -> Sequence[Heard] | Exception | None:
        """Hear rows once a replica is idle. Returns the results, or what failed; None when inference has ended."""
        rows = [row for row, _ in readable]
        try:
            with (
                self._model.prepare([features for _, features in readable]) as batch,
                self._replica(rows, group) as replica,
            ):
                return None if replica is None else self._call(rows, batch, replica)
        except Exception as error:  # noqa: BLE001 - one row's failure must not end the worker or fail other rows
            return error

    def _call(self, rows: Sequence[Row], batch: FeatureBatch, replica: int) -> Sequence[Heard]:
        begun_at = self._clock.monotonic()
        try:
            return self._model.hear(batch, [row.operation for row in rows])
        finally:
            call = Call(replica, len(rows), begun_at, self._clock.monotonic() - begun_at)
            for row in rows:
                row.call = call
            queued_seconds = sum(begun_at - row.queued_at for row in rows) / len(rows)
            self._observer.on_batch(
                replica=replica, rows=len(rows), queued_seconds=queued_seconds, seconds=call.seconds
            )

    @contextmanager
    def _replica(self, rows: Sequence[Row], group: ReplicaGroup) -> Iterator[int | None]:
        """Occupy a replica of the group with these rows once one is idle; None when inference ends before."""
        with self._changed:
            self._changed.wait_for(lambda: group.idle or self._has_ended())
            replica = None if self._has_ended() else group.idle.pop()
        if replica is None:
            yield None
            return
        try:
            with self._watch.watched(rows):
                yield replica
        finally:
            with self._changed:
                group.idle.append(replica)
                self._changed.notify_all()

    def _has_ended(self) -> bool:
        return self._closed or self._broken_by is not None

    def _deliver(self, rows: Sequence[Row], results: Sequence[Heard]) -> None:
        with self._changed:
            self._failed_jobs.clear()
            self._limit.on_success(len(rows))
        for row, result in zip(rows, results, strict=True):
            if row.future.set_running_or_notify_cancel():
                row.future.set_result(result)

    def _fail_alone(self, row: Row, error: Exception) -> None:
        with self._changed:
            self._failed_jobs.add(id(row.job))
            broken = len(self._failed_jobs) >= BROKEN_AFTER_JOBS
        if broken:
            self._break([row], error)
        else:
            row.fail(error)

    def _break(self, rows: Sequence[Row], error: Exception) -> None:
        """End all inference. Queued rows stay unresolved; ``failure_for`` returns the reason to their jobs."""
        with self._changed:
            self._broken_by = rows
            self._changed.notify_all()
        for row in rows:
            row.fail(error)
