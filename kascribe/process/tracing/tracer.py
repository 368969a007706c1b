"""The tracer of one process: none unless a collector is configured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from consumers.metrics import Instruments
from kascribe.process.tracing.span_queue import SpanQueue
from schemas.clock import Clock, SystemClock
from schemas.monitoring.tracing import Tracer
from schemas.settings.tracing import TracingSettings

CLOSE_SECONDS: Final = 3.0
"""For spans that wait when the process ends."""

_log: Final = structlog.get_logger(__name__)


@contextmanager
def opened_tracer(
    settings: TracingSettings,
    metrics: Instruments,
    *,
    role: str,
    clock: Clock | None = None,
    seconds_left: Callable[[float], float] = float,
) -> Iterator[Tracer | None]:
    """Trace while the context lasts; None where no collector is set or the extra is not installed.

    Raises ConfigurationError for a file of authorities that is not there. The end blocks for CLOSE_SECONDS at
    most, and for as much of it as ``seconds_left`` returns.
    """
    if settings.endpoint_url is None:
        yield None
        return
    try:
        from kascribe.process.tracing.otlp import OtlpExporter
    except ImportError as error:
        # No reason to refuse work: OTEL_EXPORTER_OTLP_ENDPOINT may be set for everything on this machine.
        _log.warning("no traces are sent: install kascribe[tracing] or unset the endpoint", error=str(error))
        yield None
        return
    exporter = OtlpExporter(settings, role=role)
    queue = SpanQueue(exporter.export, metrics, limit_spans=settings.queue_limit_spans)
    _log.info("traces are sent", endpoint_url=settings.endpoint_url, sample_ratio=settings.sample_ratio)
    try:
        yield Tracer(queue, sample_ratio=settings.sample_ratio, clock=clock or SystemClock())
    finally:
        queue.close(timeout_seconds=seconds_left(CLOSE_SECONDS))
        exporter.close()
