"""Small true stages for tests of the runtime."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

from structlog.contextvars import bind_contextvars

from consumers.runtime.ports import Job, Weight
from schemas.errors import AudioUndecodable, DependencyDown, JobCancelled, PermanentError, TransientError
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord

TOPIC: Final = "in"
OUTPUT: Final = "out"
HOLD_CHECK_SECONDS: Final = 0.02

Behaviour = Callable[[Job], Sequence[OutgoingRecord]]


class UnknownReason(PermanentError):
    """A mistake of a stage: its reason is none of the closed set."""

    reason = "nonsense"  # type: ignore[assignment]


class CommandStage:
    """A stage that does what a record's value commands; other values it echoes to the output topic.

    ``hold…`` waits for ``release``, ``lasts-SECONDS…`` so long at most; ``bad…`` is permanent; ``flaky…`` fails in
    its first attempt; ``bug…`` raises what no stage should, ``odd…`` an error whose reason is none, ``exit…``
    SystemExit; ``down…`` needs a dependency, and ``forbidden…`` fails by it whether it is up or not; ``heavy…``
    weighs a hundred seconds and holds; ``kill…`` kills the process.
    """

    name = "commands"

    def __init__(self, *, topics: tuple[str, ...] = (TOPIC,), output: str = OUTPUT) -> None:
        self.topics = self.retried_topics = topics
        self.services: tuple[str, ...] = ()
        self._output = output
        self.dependency_up = threading.Event()
        self.release = threading.Event()
        self.began: list[tuple[str, int]] = []
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Obey the record's value."""
        value = (job.record.value or b"").decode()
        bind_contextvars(job_id=f"job of {value}")
        with self._lock:
            self.began.append((value, job.attempt))
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            self._obey(value, job)
        finally:
            with self._lock:
                self.running -= 1
        headers = (("attempt", str(job.attempt).encode()), ("origin", str(job.origin).encode()))
        return (OutgoingRecord(self._output, job.record.key, job.record.value, headers),)

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Publish the failure to the output topic."""
        return (OutgoingRecord(self._output, job.record.key, f"failed: {failure.reason}".encode()),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Return whether the test has set the dependency up."""
        return dependency == "s3" and self.dependency_up.is_set()

    def values(self) -> list[str]:
        """Return the values of the records that began, in order."""
        return [value for value, _ in self.began]

    def _obey(self, value: str, job: Job) -> None:
        if value.startswith("heavy"):
            job.weigh(Weight(audio_seconds=100.0))
        if value.startswith(("hold", "heavy")):
            self._hold(job)
        elif value.startswith("lasts"):
            self.release.wait(float(value.split("-")[1]))
        elif value.startswith("bad"):
            raise AudioUndecodable("not audio")
        elif value.startswith("flaky") and job.attempt == 1:
            raise TransientError("the first attempt fails")
        elif value.startswith("bug"):
            raise ZeroDivisionError("a mistake of the stage")
        elif value.startswith("odd"):
            raise UnknownReason("an error that cannot be described")
        elif value.startswith("exit"):
            sys.exit("a stage that wants to end the process")
        elif value.startswith("down") and not self.dependency_up.is_set():
            raise DependencyDown("s3", "the bucket does not answer")
        elif value.startswith("forbidden"):
            raise DependencyDown("s3", "the bucket answers, and may not be written")
        elif value.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)

    def _hold(self, job: Job) -> None:
        while not self.release.wait(HOLD_CHECK_SECONDS):
            if job.cancelled():
                raise JobCancelled("the partition is gone")
