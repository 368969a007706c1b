"""Systems in processes of their own, so that none disturbs another: only the one that is measured works."""

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.engine.systems import TWO_WORKERS, opened
from tests.benchmarks.long_files.memory import children

END_SECONDS: Final = 60.0
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    """One system's pass over all files. ``processor_seconds`` are those of its processes and their children."""

    wall_seconds: float
    processor_seconds: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Worker:
    connection: Connection
    pid: int

    def ask(self, task: str, paths: Sequence[Path]) -> Any:
        self.connection.send((task, paths))
        return self.answer()

    def answer(self) -> Any:
        """Wait for what the process did. Raises RuntimeError with its error."""
        outcome, result = self.connection.recv()
        if outcome == "failed":
            raise RuntimeError(result)
        return result


class Arm:
    """A system that waits, loaded, for its next pass."""

    def __init__(self, workers: Sequence[_Worker]) -> None:
        self._workers = workers

    def prepare(self, paths: Sequence[Path]) -> None:
        """Do what is not measured, and transcribe the first file, so that the first pass is like the others."""
        for worker in self._workers:
            worker.ask("prepare", paths)
            worker.ask("texts", paths[:1])

    def run(self, paths: Sequence[Path]) -> Run:
        """Transcribe all files. Several processes take one file after the other. Blocks."""
        before = self._processor_seconds()
        started = time.perf_counter()
        texts = self._workers[0].ask("texts", paths) if len(self._workers) == 1 else self._shared(paths)
        wall_seconds = time.perf_counter() - started
        return Run(wall_seconds, self._processor_seconds() - before, tuple(texts))

    def _shared(self, paths: Sequence[Path]) -> list[str]:
        waiting = list(enumerate(paths))[::-1]
        under_way: dict[Any, tuple[_Worker, int]] = {}
        texts = [""] * len(paths)
        idle = list(self._workers)
        while waiting or under_way:
            while waiting and idle:
                worker, (number, path) = idle.pop(), waiting.pop()
                worker.connection.send(("texts", [path]))
                under_way[worker.connection] = worker, number
            for connection in wait(list(under_way)):
                worker, number = under_way.pop(connection)
                texts[number] = worker.answer()[0]
                idle.append(worker)
        return texts

    def _processor_seconds(self) -> float:
        pids = [pid for worker in self._workers for pid in (worker.pid, *children(worker.pid))]
        return sum(map(processor_seconds, pids))


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


@contextmanager
def started(name: str, model: Path, *, fixed: bool) -> Iterator[Arm]:
    """Load a system in its processes; end them at the end."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as running:
        workers = []
        for _ in range(2 if name == TWO_WORKERS else 1):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, name, model, fixed), name=name)
            process.start()
            running.callback(process.join, END_SECONDS)
            running.callback(ours.close)
            theirs.close()
            workers.append(_Worker(ours, process.pid or 0))
        for worker in workers:
            worker.answer()
        yield Arm(workers)


def _serve(connection: Connection, name: str, model: Path, fixed: bool) -> None:
    """Answer until the other end is closed."""
    with opened(name, model, fixed=fixed) as system:
        connection.send(("ready", None))
        while True:
            try:
                task, paths = connection.recv()
            except EOFError:
                return
            try:
                connection.send(("done", getattr(system, task)(paths)))
            except Exception as error:  # noqa: BLE001 - the other end raises it again
                connection.send(("failed", f"{name}: {error!r}"))
