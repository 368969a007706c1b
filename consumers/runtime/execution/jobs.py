"""The jobs that stages see, and their callbacks into the runtime."""

from collections.abc import Callable, Sequence
from functools import partial

from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.execution.record_span import begin_record
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.partition import Flight
from consumers.runtime.ports import Job, Outbox, Weight
from consumers.runtime.retry import DeadLetter, decide
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.wire import trace_of
from schemas.monitoring.tracing import Tracer


def job_maker(
    outbox: Outbox,
    mailbox: Mailbox,
    flow_control: FlowControl,
    *,
    delays_of: Callable[[str], Sequence[int]],
    group: str,
    tracer: Tracer | None = None,
) -> Callable[[Flight], Job]:
    """Return the function that makes the job of a flight. The job's members never block, from any thread.

    ``delays_of`` returns the delays of a topic's retry topics: see ``retry.delays_of``. With a ``tracer``, the
    flight's span begins with its job; ``group`` is the consumer group that it names.
    """

    def report(record: OutgoingRecord) -> None:
        mailbox.note_activity()
        outbox.report(record)

    def reweigh(flight: Flight, weight: Weight) -> None:
        # The owner thread keeps the sums.
        mailbox.put_command(partial(flow_control.reweigh, flight, weight))

    def is_final(flight: Flight, error: Exception) -> bool:
        # The same decision as Settlement will make; the time of day does not affect it.
        decision = decide(
            error,
            topic=flight.record.topic,
            attempt=flight.attempt,
            retry_delays_seconds=delays_of(flight.record.topic),
            now_ms=0,
            pauses=flight.pauses,
        )
        return isinstance(decision, DeadLetter)

    def make_job(flight: Flight) -> Job:
        trace = trace_of(flight.record) if tracer is None else tracer.continue_from(flight.record.header)
        if tracer is not None:
            flight.span = begin_record(tracer, flight, trace, group=group)
        return Job(
            flight.record,
            flight.origin,
            flight.attempt,
            trace,
            report,
            partial(reweigh, flight),
            lambda: flight.cancelled,
            partial(is_final, flight),
        )

    return make_job
