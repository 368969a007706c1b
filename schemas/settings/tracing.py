"""The settings of traces."""

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote

from pydantic import Field, SecretStr, field_validator

from schemas.settings.types import Count, HttpAddress, Seconds, Section

_NAMES_OF_HEADERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def header_pairs(text: str) -> dict[str, str]:
    """Parse ``name=value,name=value``, percent-encoded, as in OTEL_EXPORTER_OTLP_HEADERS.

    Raises ValueError, without the values.
    """
    pairs = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not equals or not name or not set(name) <= _NAMES_OF_HEADERS or not _may_be_sent(value):
            raise ValueError(
                "Input should be name=value, with a comma between two of them, values in printable ASCII"
            )
        pairs[name] = value
    return pairs


def _may_be_sent(value: str) -> bool:
    """Whether the HTTP client sends a header's value: its error about another one repeats the value."""
    return value.isascii() and value.isprintable() and value == value.strip()


class TracingSettings(Section):
    """Traces: spans of each job's steps, sent to an OpenTelemetry collector. Needs the extra ``tracing``."""

    endpoint_url: HttpAddress | None = Field(
        default=None,
        description="Receives OTLP over HTTP, as in http://collector:4318; /v1/traces is added. None: no traces.",
    )
    headers: SecretStr | None = Field(
        default=None, description="Sent with each request, as in authorization=Bearer …,x-scope=team."
    )
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Share of new traces that is kept; a `traceparent` that arrives decides for itself.",
    )
    timeout_seconds: Seconds = Field(
        default=10.0, description="Limit of one export, repetitions included; then its spans are dropped."
    )
    queue_limit_spans: Count = Field(
        default=8_192, description="Spans that wait for their export; more are dropped. Each takes about 2 KB."
    )
    tls_ca_file: Path | None = Field(
        default=None, description="File of the authorities to trust; None: those of the package certifi."
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            header_pairs(value.get_secret_value())
        return value
