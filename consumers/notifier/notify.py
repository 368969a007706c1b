"""The notifier's stage: a final event of a job in, a delivery to its webhook.

::

    audio.transcripts, audio.enrichments, audio.progress ─▶ has a target? ─ yes ─▶ audio.webhooks
                                                                 └─ no ─▶ nothing      │
                   delivered, or a retry, or a dead letter ◀─ POST ◀─ target allowed ◀─┘

The line of its own keeps events that cannot be delivered yet apart from topics that other roles read too.
"""

from collections.abc import Sequence
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.notifier.delivery import Delivery
from consumers.notifier.hosts import Hosts
from consumers.notifier.metrics import DeliveryMeter, DeliveryResult
from consumers.runtime.ports import Job
from schemas.clock import Clock, SystemClock
from schemas.errors import JobError, WebhookFailed, WebhookNotAllowed, WebhookPostponed, WebhookRefused
from schemas.events import Failure, JobEvent
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics, origin_topic
from schemas.monitoring.spans import Attributes, SpanKind
from schemas.monitoring.tracing import discard, note, span
from schemas.roles import Role
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.payloads import body_of, event_in, kind_of
from schemas.webhooks.signing import message_id
from schemas.webhooks.targets import Target, target_of

_log: Final = structlog.get_logger(__name__)
_RESULTS: Final[tuple[tuple[type[Exception], DeliveryResult], ...]] = (
    (WebhookNotAllowed, DeliveryResult.NOT_ALLOWED),
    (WebhookRefused, DeliveryResult.REFUSED),
    (WebhookFailed, DeliveryResult.FAILED),
)


class NotifyStage:
    """Implements ``consumers.runtime.ports.Stage``. Safe to repeat: a message has the same id at every attempt."""

    name = Role.NOTIFIER

    def __init__(
        self,
        delivery: Delivery,
        meter: DeliveryMeter,
        *,
        topics: Topics,
        settings: WebhooksSettings,
        clock: Clock | None = None,
    ) -> None:
        self._delivery = delivery
        self._meter = meter
        self._topics = topics
        self._settings = settings
        self._clock = clock or SystemClock()
        self._hosts = Hosts(
            concurrency=settings.concurrency_limit,
            rest_seconds=settings.rest_seconds,
            patience_seconds=2 * settings.timeout_seconds,
        )

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics on which jobs are answered, and the line of deliveries."""
        return (*self._topics.answers, self._topics.webhooks)

    @property
    def retried_topics(self) -> tuple[str, ...]:
        """The line of deliveries: the other topics are read by other roles too."""
        return (self._topics.webhooks,)

    @property
    def services(self) -> tuple[str, ...]:
        """None: a receiver that is down delays its own events alone."""
        return ()

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Deliver an event from the line, or put a final event with a target on it. See ``Stage.process``."""
        if origin_topic(job.record.topic) != self._topics.webhooks:
            return self._forward(job)
        with bound_contextvars(trace_id=job.trace.trace_id):
            self._deliver(job)
        return ()

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:  # noqa: ARG002 - see Stage
        """Return nothing: the job has ended as its event says, whether its receiver knows or not."""
        return ()

    def dependency_is_up(self, dependency: str) -> bool:  # noqa: ARG002 - see Stage
        """Return True: no service stops the whole intake."""
        return True

    def _forward(self, job: Job) -> Sequence[OutgoingRecord]:
        try:
            event = event_in(job.record)
        except JobError as error:
            _log.warning("event not understood, so no webhook tells of it", error=str(error))
            return ()
        if kind_of(event) is None or not self._has_target(event):
            discard()
            return ()
        record = job.record
        return (OutgoingRecord(self._topics.webhooks, record.key, record.value, record.headers),)

    def _has_target(self, event: JobEvent) -> bool:
        try:
            return target_of(event.webhook_url, event.tenant, self._settings) is not None
        except WebhookNotAllowed:
            return True  # a dead letter says why

    def _deliver(self, job: Job) -> None:
        event = event_in(job.record)
        bind_contextvars(job_id=event.job_id)
        note({"kascribe.job_id": event.job_id, "kascribe.event_id": event.event_id})
        kind = kind_of(event)
        try:
            target = target_of(event.webhook_url, event.tenant, self._settings)
        except WebhookNotAllowed:
            self._meter.count(DeliveryResult.NOT_ALLOWED)
            raise
        if kind is None or target is None:
            _log.info("no webhook is set any more, event left out", event_id=event.event_id)
            return
        body = body_of(kind, event, job.record.value or b"")
        self._send(job, target, message_id=message_id(event.event_id), body=body)
        _log.info("webhook delivered", host=target.address.host, type=kind.value, attempt=job.attempt)

    def _send(self, job: Job, target: Target, *, message_id: str, body: bytes) -> None:
        """Deliver at a place of the target's host, and let the host know how it went."""
        host = f"{target.address.host}:{target.address.port}"
        is_last = job.is_final(WebhookFailed("not delivered"))
        try:
            self._hosts.enter(host, job.origin, is_last=is_last, now=self._clock.monotonic())
        except (WebhookFailed, WebhookPostponed):
            self._meter.count(DeliveryResult.NOT_TRIED)
            raise
        succeeded, rest_seconds = True, 0.0
        try:
            with span("POST", kind=SpanKind.CLIENT, attributes=_attributes(target)) as sending:
                answer = self._delivery.deliver(target, message_id=message_id, body=body)
                sending.set({"http.response.status_code": answer.status})
            self._meter.observe(answer.seconds)
        except Exception as error:
            self._meter.count(_result_of(error))
            succeeded = isinstance(error, WebhookRefused | WebhookNotAllowed)  # the host answers, or was not asked
            rest_seconds = error.retry_after_seconds if isinstance(error, WebhookFailed) else 0.0
            raise
        finally:
            self._hosts.leave(
                host, job.origin, succeeded=succeeded, now=self._clock.monotonic(), rest_seconds=rest_seconds
            )


def _attributes(target: Target) -> Attributes:
    """Return where a delivery goes. Path and query stay out of spans: receivers put tokens into them."""
    return {
        "http.request.method": "POST",
        "server.address": target.address.host,
        "server.port": target.address.port,
        "url.scheme": target.address.scheme,
    }


def _result_of(error: Exception) -> DeliveryResult:
    return next((result for kind, result in _RESULTS if isinstance(error, kind)), DeliveryResult.FAILED)
