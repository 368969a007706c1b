"""Metrics of the enricher's work on transcripts, and the adapter that records them."""

from typing import Final

from consumers.enricher.ports import EnrichmentStage
from consumers.metrics import Metrics
from schemas.monitoring import Metric

WORK_SECONDS_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
STAGES: Final[tuple[EnrichmentStage, ...]] = ("load", "model", "store")

ENRICHMENT_QUEUE_SECONDS: Final = Metric(
    "kascribe_enrichment_queue_seconds",
    "histogram",
    "seconds",
    (),
    "From the time of a transcript's record to the attempt that works on it.",
    WORK_SECONDS_BUCKETS,
)
ENRICHMENT_SERVICE_SECONDS: Final = Metric(
    "kascribe_enrichment_service_seconds",
    "histogram",
    "seconds",
    ("stage",),
    "Time in a stage: load (the transcript from the bucket), model (all requests for a transcript, waits for "
    "places included), store (rewrites and result).",
    WORK_SECONDS_BUCKETS,
    STAGES,
)
ENRICHMENT_METRICS: Final = (ENRICHMENT_QUEUE_SECONDS, ENRICHMENT_SERVICE_SECONDS)


class EnrichmentMeter:
    """Implements ``consumers.enricher.ports.EnrichmentObserver``. Thread-safe; no method blocks."""

    def __init__(self, metrics: Metrics) -> None:
        self._queue_seconds = metrics.histogram(ENRICHMENT_QUEUE_SECONDS)
        service_seconds = metrics.histogram(ENRICHMENT_SERVICE_SECONDS)
        self._service_seconds = {stage: service_seconds.labels(stage) for stage in STAGES}

    def on_begin(self, *, queued_seconds: float | None) -> None:
        """See ``EnrichmentObserver``."""
        if queued_seconds is not None:
            self._queue_seconds.observe(queued_seconds)

    def on_stage(self, stage: EnrichmentStage, *, seconds: float) -> None:
        """See ``EnrichmentObserver``."""
        self._service_seconds[stage].observe(seconds)
