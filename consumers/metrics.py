"""The catalogue of the runtime's metrics: what is exported, what is documented, what alerts may use.

A stage declares rows of its own beside its code and passes them to ``Metrics`` together with these.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from schemas import monitoring
from schemas.errors import Reason
from schemas.monitoring import Metric

STAGE_SECONDS_BUCKETS: Final = (0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
POLL_SECONDS_BUCKETS: Final = (0.001, 0.01, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0)
LATENCY_SECONDS_BUCKETS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)
COMMIT_SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
REASONS: Final = tuple(reason.value for reason in Reason)

# A series beside each counter and histogram, which nothing reads: promtool knows it for a gauge without a unit.
disable_created_metrics()  # type: ignore[no-untyped-call]

RECORDS_RECEIVED: Final = Metric(
    "kascribe_records_received_total", "counter", "records", ("topic",), "Records polled, redeliveries included."
)
RECORDS_SETTLED: Final = Metric(
    "kascribe_records_settled_total",
    "counter",
    "records",
    ("topic", "outcome"),
    "Attempts that ended: completed, cancelled, retried, dead_lettered, parked (dependency down), joined (waits "
    "for a record of the same job), dropped (partition no longer held).",
)
RECORDS_SKIPPED: Final = Metric(
    "kascribe_records_skipped_total",
    "counter",
    "records",
    ("topic",),
    "Records that were complete before this process took the partition, according to the gap map.",
)
RECORDS_PUBLISHED: Final = Metric(
    "kascribe_records_published_total", "counter", "records", ("topic",), "Outputs acknowledged by the broker."
)
RETRIES: Final = Metric(
    "kascribe_retries_total",
    "counter",
    "records",
    ("reason",),
    "Records sent to a retry topic.",
    values=REASONS,
)
FAILURES: Final = Metric(
    "kascribe_failures_total",
    "counter",
    "records",
    ("reason",),
    "Attempts that failed: those that are retried, dead-lettered, or wait for a service that is down "
    "(dependency_down).",
    values=REASONS,
)
DEAD_LETTERS: Final = Metric(
    "kascribe_dead_letters_total",
    "counter",
    "records",
    ("reason",),
    "Records sent to the dead-letter topic.",
    values=REASONS,
)
BACKLOG_RECORDS: Final = Metric(
    "kascribe_backlog_records",
    "gauge",
    "records",
    ("role", "lane"),
    "Records of the partitions held that are not done yet. Those that were polled count by their lane, the others "
    "by the lanes of recent records. While Kafka is down: as far as its logs reached before.",
)
BACKLOG_AUDIO_SECONDS: Final = Metric(
    "kascribe_backlog_audio_seconds",
    "gauge",
    "seconds",
    ("role", "lane", "basis"),
    "Audio of those records, of transcriber and enricher. basis: stated (by the record or its decoder), estimated "
    "(from the object's bytes, or else the mean length, of recent records; before any was measured, 16,000 bytes "
    "a second and 60 s a record).",
)
END_TO_END_SECONDS: Final = Metric(
    "kascribe_end_to_end_seconds",
    "histogram",
    "seconds",
    ("role", "lane"),
    "From the time that a reference names (a notification: its event time) to the broker's confirmation of its "
    "transcript, or its enrichment.",
    LATENCY_SECONDS_BUCKETS,
)
IN_FLIGHT_RECORDS: Final = Metric(
    "kascribe_in_flight_records", "gauge", "records", (), "Records handed to the stage and not yet settled."
)
IN_FLIGHT_BYTES: Final = Metric(
    "kascribe_in_flight_bytes", "gauge", "bytes", (), "Bytes of those records and of the objects they name."
)
IN_FLIGHT_AUDIO_SECONDS: Final = Metric(
    "kascribe_in_flight_audio_seconds", "gauge", "seconds", (), "Seconds of audio that those records hold."
)
WAITING_RECORDS: Final = Metric(
    "kascribe_waiting_records",
    "gauge",
    "records",
    (),
    "Records polled that wait for capacity or for their due time.",
)
UNDELIVERED_RECORDS: Final = Metric(
    "kascribe_undelivered_records",
    "gauge",
    "records",
    (),
    "Records that are settled but whose outputs the broker has not confirmed yet.",
)
LAG: Final = Metric(
    "kascribe_consumer_lag_offsets",
    "gauge",
    "offsets",
    ("topic", "partition"),
    "End of the partition minus the committed offset, requested from the broker even while paused; absent if "
    "unknown.",
)
OLDEST_INCOMPLETE_AGE: Final = Metric(
    "kascribe_oldest_incomplete_age_seconds",
    "gauge",
    "seconds",
    ("topic", "partition"),
    "How long the record that holds the committed offset back has been in flight.",
)
GAP_WIDTH: Final = Metric(
    "kascribe_gap_width_offsets",
    "gauge",
    "offsets",
    ("topic", "partition"),
    "From the committed offset to the highest received one: the range that the gap map has to describe.",
)
METADATA_CHARACTERS: Final = Metric(
    "kascribe_commit_metadata_characters",
    "gauge",
    "characters",
    ("topic", "partition"),
    "Characters of commit metadata in use; the budget is 4,000.",
)
PARTITIONS_ASSIGNED: Final = Metric(
    "kascribe_partitions_assigned", "gauge", "state", (), "Partitions that this process holds."
)
PARTITIONS_PAUSED: Final = Metric(
    "kascribe_partitions_paused", "gauge", "state", (), "Partitions whose intake is paused."
)
DEPENDENCY_DOWN: Final = monitoring.DEPENDENCY_DOWN
STAGE_SECONDS: Final = Metric(
    "kascribe_stage_seconds",
    "histogram",
    "seconds",
    ("stage", "outcome"),
    "From the start of an attempt to its end, in the stage's thread.",
    STAGE_SECONDS_BUCKETS,
)
COMMIT_SECONDS: Final = Metric(
    "kascribe_commit_seconds",
    "histogram",
    "seconds",
    (),
    "From the submission of a batch to the outbox until its outputs and offsets are durable.",
    COMMIT_SECONDS_BUCKETS,
)
COMMIT_FAILURES: Final = Metric(
    "kascribe_commit_failures_total", "counter", "events", (), "Batches or commits that failed."
)
POLL_GAP_SECONDS: Final = Metric(
    "kascribe_poll_gap_seconds",
    "histogram",
    "seconds",
    (),
    "Between two polls; the group evicts the process at max.poll.interval.ms.",
    POLL_SECONDS_BUCKETS,
)
REBALANCES: Final = Metric(
    "kascribe_rebalances_total",
    "counter",
    "events",
    ("kind",),
    "Callbacks of the group: assigned, revoked, lost.",
    values=("assigned", "revoked", "lost"),
)
UNCLEAN_TAKEOVERS: Final = Metric(
    "kascribe_unclean_takeovers_total",
    "counter",
    "events",
    ("topic",),
    "Partitions taken over from a process that ended without releasing them.",
)

RUNTIME_METRICS: Final = (
    *(row for row in list(globals().values()) if isinstance(row, Metric) and row is not DEPENDENCY_DOWN),
    *monitoring.PROCESS_METRICS,
)


class Instruments:
    """The instruments of rows, registered once each.

    ``counter``, ``gauge`` and ``histogram`` raise KeyError for a row that was not declared: only metrics in the
    catalogue are measured.
    """

    def __init__(self, registry: CollectorRegistry, rows: Iterable[Metric]) -> None:
        self.registry = registry
        rows = tuple(rows)
        self._counters = {
            row: Counter(*_arguments(row), registry=registry) for row in rows if row.kind == "counter"
        }
        self._gauges = {row: Gauge(*_arguments(row), registry=registry) for row in rows if row.kind == "gauge"}
        self._histograms = {
            row: Histogram(*_arguments(row), registry=registry, buckets=row.buckets)
            for row in rows
            if row.kind == "histogram"
        }
        instruments: dict[Metric, Counter | Gauge | Histogram] = {
            **self._counters,
            **self._gauges,
            **self._histograms,
        }
        for row in rows:
            for value in row.values:
                instruments[row].labels(value)

    def add_process_collector(self) -> None:
        """Export process_*: CPU time, memory, descriptors and start time of this process. Call it once."""
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Return the values of all rows in Prometheus's text format."""
        return generate_latest(self.registry)

    def counter(self, row: Metric) -> Counter:
        """Return the counter of ``row``."""
        return self._counters[row]

    def gauge(self, row: Metric) -> Gauge:
        """Return the gauge of ``row``."""
        return self._gauges[row]

    def histogram(self, row: Metric) -> Histogram:
        """Return the histogram of ``row``."""
        return self._histograms[row]


def new_instruments(rows: Iterable[Metric]) -> Instruments:
    """Return instruments in a registry of their own."""
    return Instruments(CollectorRegistry(), rows)


class Metrics(Instruments):
    """The instruments of a consumer role: the runtime's rows and those declared."""

    def __init__(self, registry: CollectorRegistry, *declared: Iterable[Metric]) -> None:
        super().__init__(registry, catalogue(*declared))


def catalogue(*declared: Iterable[Metric]) -> list[Metric]:
    """Return every row, the runtime's first, then those declared by others; the docs are generated from it."""
    return [*RUNTIME_METRICS, *(row for rows in declared for row in rows)]


def _arguments(row: Metric) -> tuple[str, str, tuple[str, ...]]:
    return (row.name, row.meaning, row.labels)
