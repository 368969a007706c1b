"""The jobs that stages see, and what they ask of the runtime while they run."""

from collections.abc import Callable
from functools import partial

from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.partition import Flight
from consumers.runtime.ports import Job, Outbox, Weight
from consumers.runtime.retry import DeadLetter, decide
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.wire import trace_of
from schemas.settings import RuntimeSettings


def job_maker(
    outbox: Outbox, mailbox: Mailbox, flow_control: FlowControl, settings: RuntimeSettings
) -> Callable[[Flight], Job]:
    """Return what makes the job of a flight. The job's members never block, from any thread of the stage."""

    def report(record: OutgoingRecord) -> None:
        mailbox.note_activity()
        outbox.report(record)

    def reweigh(flight: Flight, weight: Weight) -> None:
        # The owner thread keeps the sums.
        mailbox.put_command(partial(flow_control.reweigh, flight, weight))

    def is_final(flight: Flight, error: Exception) -> bool:
        # What Settlement will decide; the time of day has no part in it.
        decision = decide(
            error,
            topic=flight.record.topic,
            attempt=flight.attempt,
            retry_delays_seconds=settings.retry_delays_seconds,
            now_ms=0,
            pauses=flight.pauses,
        )
        return isinstance(decision, DeadLetter)

    def make_job(flight: Flight) -> Job:
        return Job(
            flight.record,
            flight.origin,
            flight.attempt,
            trace_of(flight.record),
            report,
            partial(reweigh, flight),
            lambda: flight.cancelled,
            partial(is_final, flight),
        )

    return make_job
