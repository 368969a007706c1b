"""Dashboards of the edges: the gateway's clients, and delivery over Kafka with the roles beside it."""

from typing import Final

from consumers import metrics as runtime
from consumers.archive.loading import LOADED
from consumers.archive.stage import SKIPPED
from consumers.notifier.metrics import DELIVERIES, DELIVERY_SECONDS
from deploy.monitoring.expressions import highest, quantile, rate, series, summed
from deploy.monitoring.panel import WINDOW, Dashboard, Panel, Query
from kascribe.process.tracing.span_queue import DROPPED, EXPORTED
from producers.gateway.monitoring import rows
from producers.reconciler.rows import RECONCILED_OBJECTS, RECONCILER_RUNS

SLOWEST: Final = 0.95

GATEWAY: Final = Dashboard(
    "gateway",
    "Kascribe: gateway",
    "For those who answer clients: what is requested, how fast, and what is refused?",
    (
        Panel(
            "Requests, by status",
            (Query(rate(rows.HTTP_REQUESTS, "status", window=WINDOW), "{{status}}"),),
            unit="ops",
        ),
        Panel(
            "Requests, by route",
            (Query(rate(rows.HTTP_REQUESTS, "method", "route", window=WINDOW), "{{method}} {{route}}"),),
            unit="ops",
        ),
        Panel(
            "Answers, 95 % within",
            (Query(quantile(SLOWEST, rows.HTTP_REQUEST_SECONDS, "route", window=WINDOW), "{{route}}"),),
            unit="s",
            meaning="Without event streams. /transcribe waits for its transcript.",
        ),
        Panel("In progress", (Query(summed(rows.HTTP_REQUESTS_IN_PROGRESS, "kind"), "{{kind}}"),)),
        Panel(
            "Connections and waiting answers",
            (
                Query(summed(rows.HTTP_CONNECTIONS), "connections"),
                Query(summed(rows.WAITING_ANSWERS), "requests that wait for events"),
            ),
        ),
        Panel(
            "Refused because of a limit",
            (Query(rate(rows.HTTP_REFUSALS, "kind", window=WINDOW), "{{kind}}"),),
            unit="ops",
        ),
        Panel("Uploads in progress", (Query(summed(rows.UPLOADS), "uploads"),)),
        Panel("Upload spool", (Query(summed(rows.SPOOL_BYTES), "bytes held"),), unit="bytes"),
        Panel("Received", (Query(rate(rows.UPLOAD_BYTES, window=WINDOW), "files"),), unit="binBps"),
    ),
)

DELIVERY: Final = Dashboard(
    "delivery",
    "Kascribe: Kafka and delivery",
    "For those who run Kafka: lag, commits, rebalances; and for webhooks, archive and reconciler.",
    (
        Panel("Lag", (Query(summed(runtime.LAG, "job", "topic"), "{{job}}: {{topic}}"),), width=12),
        Panel(
            "Attempts, by how they end",
            (Query(rate(runtime.RECORDS_SETTLED, "job", "outcome", window=WINDOW), "{{job}}: {{outcome}}"),),
            unit="ops",
            width=12,
        ),
        Panel(
            "Read and published",
            (
                Query(rate(runtime.RECORDS_RECEIVED, "topic", window=WINDOW), "read {{topic}}"),
                Query(rate(runtime.RECORDS_PUBLISHED, "topic", window=WINDOW), "published {{topic}}"),
                Query(rate(runtime.RECORDS_SKIPPED, "topic", window=WINDOW), "skipped {{topic}}"),
            ),
            unit="ops",
            width=12,
        ),
        Panel(
            "Records held",
            (
                Query(summed(runtime.IN_FLIGHT_RECORDS, "job"), "{{job}}: in flight"),
                Query(summed(runtime.WAITING_RECORDS, "job"), "{{job}}: waiting"),
                Query(summed(runtime.UNDELIVERED_RECORDS, "job"), "{{job}}: not confirmed"),
            ),
            width=12,
        ),
        Panel(
            "Commits, 95 % within",
            (Query(quantile(SLOWEST, runtime.COMMIT_SECONDS, "job", window=WINDOW), "{{job}}"),),
            unit="s",
        ),
        Panel(
            "Failed commits", (Query(rate(runtime.COMMIT_FAILURES, "job", window=WINDOW), "{{job}}"),), unit="ops"
        ),
        Panel(
            "Between two polls, 99 % within",
            (Query(quantile(0.99, runtime.POLL_GAP_SECONDS, "job", window=WINDOW), "{{job}}"),),
            unit="s",
        ),
        Panel(
            "Rebalances",
            (
                Query(rate(runtime.REBALANCES, "job", "kind", window=WINDOW), "{{job}}: {{kind}}"),
                Query(
                    rate(runtime.UNCLEAN_TAKEOVERS, "job", "topic", window=WINDOW), "{{job}}: taken over {{topic}}"
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Partitions",
            (
                Query(series(runtime.PARTITIONS_ASSIGNED), "{{job}} {{instance}}: held"),
                Query(series(runtime.PARTITIONS_PAUSED), "{{job}} {{instance}}: paused"),
            ),
        ),
        Panel(
            "Oldest record in flight",
            (Query(highest(runtime.OLDEST_INCOMPLETE_AGE, "job", "topic"), "{{job}}: {{topic}}"),),
            unit="s",
        ),
        Panel("Gap width", (Query(highest(runtime.GAP_WIDTH, "job", "topic"), "{{job}}: {{topic}}"),)),
        Panel(
            "Commit metadata",
            (Query(highest(runtime.METADATA_CHARACTERS, "job", "topic"), "{{job}}: {{topic}}"),),
            meaning="Characters, of 4,000.",
        ),
        Panel("Webhooks", (Query(rate(DELIVERIES, "result", window=WINDOW), "{{result}}"),), unit="ops"),
        Panel(
            "Webhook delivery, 95 % within",
            (Query(quantile(SLOWEST, DELIVERY_SECONDS, window=WINDOW), "95 % within"),),
            unit="s",
        ),
        Panel(
            "Spans of traces",
            (
                Query(rate(EXPORTED, "job", window=WINDOW), "{{job}}: exported"),
                Query(rate(DROPPED, "job", "reason", window=WINDOW), "{{job}}: {{reason}}"),
            ),
            unit="ops",
        ),
        Panel(
            "Reconciler and archive",
            (
                Query(rate(RECONCILED_OBJECTS, "outcome", window=WINDOW), "object {{outcome}}"),
                Query(rate(RECONCILER_RUNS, "outcome", window=WINDOW), "run {{outcome}}"),
                Query(rate(SKIPPED, "topic", window=WINDOW), "not archived {{topic}}"),
                Query(rate(LOADED, window=WINDOW), "loaded into a new archive"),
            ),
            unit="ops",
        ),
    ),
)
