"""Jobs that nobody wants any more: what the gateway says when its client has gone."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final

import structlog

from consumers.follower import Follower, Start
from schemas import wire
from schemas.errors import DependencyDown, JobError
from schemas.events import CancellationEvent
from schemas.records import Record
from schemas.settings import KafkaSettings
from schemas.topics import Topics

WITHDRAWN_LIMIT: Final = 10_000
"""Remembered at most. A cancellation that is forgotten costs the work, never a result."""

POLL_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 5.0
STOP_SECONDS: Final = 1.0

_log: Final = structlog.get_logger(__name__)


class Withdrawn:
    """What was withdrawn last: references by their event's id, and jobs by the moment. Safe between threads."""

    def __init__(self) -> None:
        self._references: OrderedDict[str, None] = OrderedDict()
        self._jobs: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def includes(self, job_id: str, *, asked_at: datetime, event_id: str | None) -> bool:
        """Whether this reference was withdrawn. Who asks for the same job with another one still wants it.

        Without an ``event_id`` only a cancellation of all references of the job counts.
        """
        if event_id in self._references:
            return True
        withdrawn_at = self._jobs.get(job_id)
        return withdrawn_at is not None and asked_at <= withdrawn_at

    def take(self, record: Record) -> None:
        """Takes note of a record of the cancellations topic. What is not understood is passed by."""
        try:
            event = wire.decode(record, CancellationEvent)
        except JobError:
            return
        with self._lock:
            if not event.reference_event_ids:
                self._jobs[event.job_id] = event.occurred_at
            for event_id in event.reference_event_ids[:WITHDRAWN_LIMIT]:
                self._references[event_id] = None
            _forget_oldest(self._references)
            _forget_oldest(self._jobs)


class CancellationListener:
    """Follows the cancellations topic on a thread of its own, from ``start`` until ``stop``.

    Best effort: while the broker is away cancellations are missed, and jobs run to their end.
    """

    def __init__(self, settings: KafkaSettings, withdrawn: Withdrawn) -> None:
        self._settings = settings
        self._withdrawn = withdrawn
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cancellations", daemon=True)

    def start(self) -> None:
        """Returns at once; to be called once."""
        self._thread.start()

    def stop(self) -> None:
        """Blocks for a moment; a thread that waits for a broker which is away is left behind."""
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow()
            except DependencyDown as error:
                _log.warning("cancellations_not_followed", why=str(error))
                self._stopped.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        topic = Topics(self._settings.topic_prefix).cancellations
        with Follower(self._settings, (topic,), start=Start.NOW) as follower:
            while not self._stopped.is_set():
                for record in follower.records(POLL_SECONDS):
                    self._withdrawn.take(record)


def _forget_oldest(remembered: OrderedDict[str, Any]) -> None:
    while len(remembered) > WITHDRAWN_LIMIT:
        remembered.popitem(last=False)
