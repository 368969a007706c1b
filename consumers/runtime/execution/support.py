"""What the runtime does for a running job: the jobs that stages see, and the requests that they make."""

from functools import partial

from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.partition import Flight
from consumers.runtime.ports import Outbox
from consumers.runtime.retry import DeadLetter, decide
from consumers.runtime.stage import Job, Weight
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.wire import trace_of
from schemas.settings import RuntimeSettings


class JobSupport:
    """Makes the job of a flight, and answers it from the stage's threads without blocking."""

    def __init__(
        self, outbox: Outbox, mailbox: Mailbox, flow_control: FlowControl, settings: RuntimeSettings
    ) -> None:
        self._outbox = outbox
        self._mailbox = mailbox
        self._flow_control = flow_control
        self._settings = settings

    def make_job(self, flight: Flight) -> Job:
        """Return the attempt as the stage sees it."""
        return Job(
            flight.record,
            flight.origin,
            flight.attempt,
            trace_of(flight.record),
            self._report,
            partial(self._reweigh, flight),
            lambda: flight.cancelled,
            partial(self._is_final, flight),
        )

    def _report(self, record: OutgoingRecord) -> None:
        """Pass progress to the outbox, which neither blocks nor raises; note the sign of work."""
        self._mailbox.note_activity()
        self._outbox.report(record)

    def _reweigh(self, flight: Flight, weight: Weight) -> None:
        """Post the weight to the owner thread, which keeps the sums."""
        self._mailbox.put_command(partial(self._flow_control.reweigh, flight, weight))

    def _is_final(self, flight: Flight, error: Exception) -> bool:
        """Return what ``Settlement`` will decide; the time of day has no part in it."""
        decision = decide(
            error,
            topic=flight.record.topic,
            attempt=flight.attempt,
            retry_delays_seconds=self._settings.retry_delays_seconds,
            now_ms=0,
            pauses=flight.pauses,
        )
        return isinstance(decision, DeadLetter)
