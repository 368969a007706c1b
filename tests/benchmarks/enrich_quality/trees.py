"""Trees of this repository, the working tree or a revision's, each with a process that enriches with its code."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.structure.trees import ROOT, open_revision

PROGRAM: Final = Path(__file__).with_name("collect.py")


class CollectorFailed(Exception):
    """A tree's process ended, or could not use that tree's code. The message says what it said."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Code to measure. ``label`` is a commit, with a plus sign for a working tree that differs from it."""

    label: str
    path: Path


@contextmanager
def checked_out(revision: str | None) -> Iterator[Tree]:
    """Yield a revision's tree in a temporary directory; None is the working tree. Raises NoSuchRevision."""
    if revision is None:
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "models", "schemas")
        yield Tree(_git("rev-parse", "--short=7", "HEAD") + ("+" if changed else ""), ROOT)
        return
    with tempfile.TemporaryDirectory() as directory:
        with open_revision(revision) as tree:
            tree.extractall(directory, filter="data")
        yield Tree(_git("rev-parse", "--short=7", f"{revision}^{{commit}}"), Path(directory))


class Collector:
    """A process that enriches with a tree's code, until ``close``."""

    def __init__(self, tree: Tree, url: str, model: str | None, *, at_once: int, timeout_seconds: float) -> None:
        """Start it. Blocks until it is ready. Raises CollectorFailed."""
        self.tree = tree
        arguments = ["--url", url, "--at-once", str(at_once), "--timeout-seconds", str(timeout_seconds)]
        # -P: the program's own folder must not be searched for modules, only the tree.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM), *arguments, *(["--model", model] if model else [])],
            cwd=tree.path,
            env={**os.environ, "PYTHONPATH": str(tree.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[dict[str, Any]]] = {}
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        if not first:
            raise CollectorFailed(f"{tree.label}: the process ended with {self._process.wait()} as it started")
        self.schemas: dict[str, dict[str, Any] | None] = json.loads(first)["profiles"]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def enrich(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request. Blocks; callable from many threads. Raises CollectorFailed."""
        assert self._process.stdin is not None
        waiting: Future[dict[str, Any]] = Future()
        with self._lock:
            self._waiting[asked["job_id"]] = waiting
            try:
                self._process.stdin.write(json.dumps(asked) + "\n")
                self._process.stdin.flush()
            except BrokenPipeError as error:
                raise CollectorFailed(f"{self.tree.label}: the process has ended") from error
        found = waiting.result()
        if "fault" in found:
            raise CollectorFailed(f"{self.tree.label}: {found['fault']}")
        return found

    def close(self) -> None:
        """End the process and wait for it. Requests that it still works on fail."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):  # of a request that was not written yet
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = json.loads(line)
            with self._lock:
                waiting = self._waiting.pop(found["job_id"])
            waiting.set_result(found)
        with self._lock:
            for left in self._waiting.values():
                left.set_exception(CollectorFailed(f"{self.tree.label}: the process has ended"))


def _git(*arguments: str) -> str:
    ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True, text=True)
    return ended.stdout.strip()
