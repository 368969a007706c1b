"""OTLP over HTTP: the only module that knows OpenTelemetry's SDK."""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from kascribe.process.tracing.span_queue import ExportFailed
from schemas.errors import ConfigurationError
from schemas.identity import random_id
from schemas.monitoring import spans as ours
from schemas.settings.tracing import TracingSettings, header_pairs

TRACES_PATH: Final = "/v1/traces"

_KINDS: Final = {
    ours.SpanKind.INTERNAL: SpanKind.INTERNAL,
    ours.SpanKind.SERVER: SpanKind.SERVER,
    ours.SpanKind.CLIENT: SpanKind.CLIENT,
    ours.SpanKind.PRODUCER: SpanKind.PRODUCER,
    ours.SpanKind.CONSUMER: SpanKind.CONSUMER,
}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_LOGGER: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class _LastLine(logging.Handler):
    """Keeps the exporter's last line: it logs each repetition, and returns nothing but whether it succeeded."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.text = record.getMessage()


class OtlpExporter:
    """Sends spans to a collector. One thread's; ``close`` interrupts an export that waits for its repetition."""

    def __init__(self, settings: TracingSettings, *, role: str) -> None:
        """Open no connection yet. Raises ConfigurationError when the file of authorities is not there."""
        if settings.tls_ca_file is not None and not settings.tls_ca_file.is_file():
            raise ConfigurationError(
                f"KASCRIBE_TRACING_TLS_CA_FILE names {settings.tls_ca_file}, which is no file"
            )
        headers = settings.headers.get_secret_value() if settings.headers else ""
        session = requests.Session()
        session.trust_env = False  # neither proxies nor .netrc: spans go to the configured server alone
        self._last_line = _LastLine()
        logger = logging.getLogger(_LOGGER)
        logger.handlers[:] = [self._last_line]
        logger.propagate = False
        self._endpoint = traces_url(settings.endpoint_url or "")
        self._exporter = OTLPSpanExporter(
            endpoint=self._endpoint,
            headers=header_pairs(headers),
            timeout=settings.timeout_seconds,
            certificate_file=str(settings.tls_ca_file) if settings.tls_ca_file else None,
            compression=Compression.Gzip,
            session=session,
        )
        self._resource = resource_of(role)
        self._scope = InstrumentationScope("kascribe", version("kascribe"))

    def export(self, spans: Sequence[ours.Span]) -> None:
        """Send spans. Blocks for the timeout at most; raises ExportFailed when they were not accepted."""
        result = self._exporter.export([readable(span, self._resource, self._scope) for span in spans])
        if result is not SpanExportResult.SUCCESS:
            raise ExportFailed(
                f"{self._endpoint}: {self._last_line.text or 'no answer in time'} It has to be an OTLP receiver "
                "over HTTP: its port is usually 4318, as 4317 is gRPC's (KASCRIBE_TRACING_ENDPOINT_URL)"
            )

    def close(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


def traces_url(endpoint_url: str) -> str:
    """Return the address for traces of an OTLP endpoint, which may name it already."""
    return endpoint_url if endpoint_url.endswith(TRACES_PATH) else endpoint_url + TRACES_PATH


def resource_of(role: str) -> Resource:
    """Return what the spans of this process share. ``OTEL_RESOURCE_ATTRIBUTES`` adds to it."""
    return Resource.create(
        {
            "service.name": f"kascribe-{role}",
            "service.namespace": "kascribe",
            "service.version": version("kascribe"),
            "service.instance.id": random_id(),
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
    )


def readable(span: ours.Span, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    """Return a span as the exporter takes it."""
    parent = _context(span.trace_id, span.parent_id) if span.parent_id else None
    return ReadableSpan(
        span.name,
        context=_context(span.trace_id, span.span_id),
        parent=parent,
        resource=resource,
        attributes=_attributes(span.attributes),
        events=tuple(Event(event.name, _attributes(event.attributes), event.at_ns) for event in span.events),
        links=tuple(Link(_context(link.trace_id, link.span_id)) for link in span.links),
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error is not None else Status(StatusCode.UNSET),
        start_time=span.started_ns,
        end_time=span.ended_ns,
        instrumentation_scope=scope,
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)


def _attributes(attributes: ours.Attributes) -> Mapping[str, ours.AttributeValue]:
    return dict(attributes)
