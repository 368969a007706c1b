"""Which jobs this process is working on, so that the second notification of a drop is not transcribed as well."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from schemas.errors import JobCancelled
from schemas.records import Coordinates

SAME_RECORD_WAIT_SECONDS: Final = 60.0
"""For an earlier attempt at the very same record to end; after it both go on, which is safe."""

LOOK_AGAIN_SECONDS: Final = 0.1
"""Between looks at whether the waiting record itself was cancelled."""


class InFlight:
    """Jobs in flight, each with the record that works on it. Safe to share between threads.

    A second record with the same identity does not wait, and completes at once without output: the first stays
    incomplete until its own outcome is published, dead-lettered or redelivered, so nothing rests on the second.
    Waiting would hold a worker for as long as the audio takes, for every notification that arrives twice.

    The same record met again (its partition left and came back while the old attempt ends) is another matter:
    what the old attempt gives will be dropped, so the new one has to wait for it to leave, and then does the work.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holders: dict[str, Coordinates] = {}
        self._left = threading.Condition()

    @contextmanager
    def claim(self, job_id: str, origin: Coordinates, *, cancelled: Callable[[], bool]) -> Iterator[bool]:
        """Whether this record is to do the job; held until the context ends.

        Blocks only for an earlier attempt at the same record. Raises JobCancelled when it is cancelled meanwhile.
        """
        with self._left:
            self._await_earlier_attempt(job_id, origin, cancelled)
            holder = self._holders.get(job_id)
            if holder is None:
                self._holders[job_id] = origin
        if holder is not None:
            yield holder == origin
            return
        try:
            yield True
        finally:
            with self._left:
                del self._holders[job_id]
                self._left.notify_all()

    def _await_earlier_attempt(self, job_id: str, origin: Coordinates, cancelled: Callable[[], bool]) -> None:
        deadline = self._clock() + SAME_RECORD_WAIT_SECONDS
        while self._holders.get(job_id) == origin and self._clock() < deadline:
            if cancelled():
                raise JobCancelled(f"{origin} was cancelled while an earlier attempt at it was ending")
            self._left.wait(LOOK_AGAIN_SECONDS)
