"""Cancelled jobs and references, as callers and the gateway publish them."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakSet

import structlog

from consumers.kafka.follower import Follower, Start
from schemas.errors import DependencyDown, JobError
from schemas.events import CancellationEvent
from schemas.kafka import wire
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings

WITHDRAWN_LIMIT: Final = 10_000
"""Remembered at most. A cancellation that is forgotten costs the work, never a result."""

ANY_JOB: Final = ("",)
"""In place of a job's id, for references that are cancelled wherever they were asked for."""

LOGGED_LIMIT: Final = 20
"""Of references in one line of the log."""

POLL_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 5.0
STOP_SECONDS: Final = 1.0

_log: Final = structlog.get_logger(__name__)


class Wish:
    """One request for a job, for as long as it is worked on or followed. Call it to learn if it is withdrawn."""

    def __init__(self, withdrawn: "Withdrawn", job_id: str, *, asked_at: datetime, event_id: str | None) -> None:
        self.job_id = job_id
        self.event_id = event_id
        self._asked_at = asked_at
        self._withdrawn = withdrawn

    def __call__(self) -> bool:
        """Whether the caller has withdrawn the request. Never blocks."""
        return self._withdrawn.includes(self.job_id, asked_at=self._asked_at, event_id=self.event_id)


class Withdrawn:
    """What was withdrawn last: references by their event's id, and jobs by the moment. Thread-safe.

    ``now`` is the time of day in UTC.
    """

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._references: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._jobs: OrderedDict[str, datetime] = OrderedDict()
        self._wishes: WeakSet[Wish] = WeakSet()
        self._now = now
        self._lock = threading.Lock()

    def wish(self, job_id: str, *, asked_at: datetime, event_id: str | None) -> Wish:
        """A request that is worked on from now on. See ``includes``; one from the future was made now."""
        wish = Wish(self, job_id, asked_at=min(asked_at, self._now()), event_id=event_id)
        with self._lock:
            self._wishes.add(wish)
        return wish

    def includes(self, job_id: str, *, asked_at: datetime, event_id: str | None) -> bool:
        """Whether this reference was withdrawn. Another reference for the same job is not.

        Without an ``event_id`` only a cancellation of all references of the job counts.
        """
        if event_id is not None and ((job_id, event_id) in self._references or ("", event_id) in self._references):
            return True
        withdrawn_at = self._jobs.get(job_id)
        return withdrawn_at is not None and asked_at <= withdrawn_at

    def take(self, record: Record) -> None:
        """Takes note of a record of the cancellations topic, and logs one that is not understood or matches no job
        in flight here: that may be in flight elsewhere, or still to come."""
        try:
            event = wire.decode(record, CancellationEvent)
        except JobError as error:
            _log.warning("cancellation_not_understood", record=str(record.coordinates), why=str(error))
            return
        moment = min(event.occurred_at, self._now())
        with self._lock:
            for job_id in event.job_ids if not event.reference_event_ids else ():
                self._jobs[job_id] = max(moment, self._jobs.get(job_id, moment))
                self._jobs.move_to_end(job_id)
            for event_id in event.reference_event_ids[:WITHDRAWN_LIMIT]:
                for job_id in event.job_ids or ANY_JOB:
                    self._references[job_id, event_id] = None
            _forget_oldest(self._references)
            _forget_oldest(self._jobs)
            named = [wish for wish in self._wishes if _names(event, wish)]
        if not named:
            _log.info(
                "cancellation_matches_no_job_in_flight",
                job_ids=event.job_ids,
                reference_event_ids=event.reference_event_ids[:LOGGED_LIMIT],
            )


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


def _names(event: CancellationEvent, wish: Wish) -> bool:
    named_job = not event.job_ids or wish.job_id in event.job_ids
    named_reference = not event.reference_event_ids or wish.event_id in event.reference_event_ids
    return named_job and named_reference and bool(event.job_ids or event.reference_event_ids)


def _forget_oldest(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > WITHDRAWN_LIMIT:
        remembered.popitem(last=False)
