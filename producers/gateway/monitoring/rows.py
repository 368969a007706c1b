"""The gateway's rows of the catalogue of metrics. No label has values that clients choose."""

from typing import Final

from producers.gateway.connections.admission import RequestKind
from producers.gateway.connections.refusals import Refusal
from schemas.monitoring import PROCESS_METRICS, Metric

SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0)

HTTP_REQUESTS: Final = Metric(
    "kascribe_http_requests_total",
    "counter",
    "requests",
    ("method", "route", "status", "family"),
    "Requests that were answered, by the route's template, and by the group of routes in the OpenAPI document.",
)
HTTP_REQUEST_SECONDS: Final = Metric(
    "kascribe_http_request_seconds",
    "histogram",
    "seconds",
    ("route",),
    "From a request's headers to the end of its answer; event streams are left out.",
    SECONDS_BUCKETS,
)
HTTP_REQUESTS_IN_PROGRESS: Final = Metric(
    "kascribe_http_requests_in_progress",
    "gauge",
    "requests",
    ("kind",),
    f"Requests in progress, each kind with a limit of its own: {', '.join(RequestKind)}.",
    values=tuple(kind.value for kind in RequestKind),
)
HTTP_CONNECTIONS: Final = Metric(
    "kascribe_http_connections", "gauge", "connections", (), "Connections of clients that are open."
)
HTTP_REFUSALS: Final = Metric(
    "kascribe_http_refusals_total",
    "counter",
    "requests",
    ("kind",),
    f"Connections that were closed and requests that were refused because of a limit: {', '.join(Refusal)}.",
    values=tuple(kind.value for kind in Refusal),
)
WAITING_ANSWERS: Final = Metric(
    "kascribe_http_waiting_answers", "gauge", "requests", (), "Requests that wait for the events of their job."
)
UPLOADS: Final = Metric(
    "kascribe_uploads_in_progress",
    "gauge",
    "requests",
    (),
    "Uploads that are received, or wait to be stored in the bucket.",
)
SPOOL_BYTES: Final = Metric(
    "kascribe_upload_spool_bytes", "gauge", "bytes", (), "Bytes of those uploads that the gateway holds."
)
UPLOAD_BYTES: Final = Metric(
    "kascribe_upload_bytes_total", "counter", "bytes", (), "Bytes of files that were received."
)

GATEWAY_METRICS: Final = (
    HTTP_REQUESTS,
    HTTP_REQUEST_SECONDS,
    HTTP_REQUESTS_IN_PROGRESS,
    HTTP_CONNECTIONS,
    HTTP_REFUSALS,
    WAITING_ANSWERS,
    UPLOADS,
    SPOOL_BYTES,
    UPLOAD_BYTES,
)
EXPORTED_METRICS: Final = (*GATEWAY_METRICS, *PROCESS_METRICS)
"""With the rows that every role has."""
