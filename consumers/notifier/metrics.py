"""The notifier's metrics."""

from enum import StrEnum
from typing import Final

from consumers.metrics import Metrics
from schemas.monitoring import Metric

DELIVERY_SECONDS_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)


class DeliveryResult(StrEnum):
    """How an attempt to deliver ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_ALLOWED = "not_allowed"
    NOT_TRIED = "not_tried"


DELIVERIES: Final = Metric(
    "kascribe_webhook_deliveries_total",
    "counter",
    "events",
    ("result",),
    "Attempts to deliver an event to its webhook: delivered, refused (not to be tried again), failed (to be tried "
    "again), not_allowed (the address is none that events may go to), not_tried (its host rests or is busy).",
    values=tuple(result.value for result in DeliveryResult),
)
DELIVERY_SECONDS: Final = Metric(
    "kascribe_webhook_delivery_seconds",
    "histogram",
    "seconds",
    (),
    "From the connection to the end of the receiver's answer, for events that were taken.",
    DELIVERY_SECONDS_BUCKETS,
)
NOTIFIER_METRICS: Final = (DELIVERIES, DELIVERY_SECONDS)


class DeliveryMeter:
    """Counts deliveries. Thread-safe."""

    def __init__(self, metrics: Metrics) -> None:
        self._results = {result: metrics.counter(DELIVERIES).labels(result.value) for result in DeliveryResult}
        self._seconds = metrics.histogram(DELIVERY_SECONDS)

    def count(self, result: DeliveryResult) -> None:
        """Count an attempt."""
        self._results[result].inc()

    def observe(self, seconds: float) -> None:
        """Count an event that was taken after so long."""
        self.count(DeliveryResult.DELIVERED)
        self._seconds.observe(seconds)
