"""The settings of traces."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from consumers.metrics import new_instruments
from kascribe.configuration.sources import from_foreign_names
from kascribe.process.tracing.otlp import traces_url
from kascribe.process.tracing.span_queue import TRACING_METRICS
from kascribe.process.tracing.tracer import opened_tracer
from schemas.errors import ConfigurationError
from schemas.settings.tracing import TracingSettings, header_pairs


def test_without_an_endpoint_nothing_is_traced() -> None:
    """No thread, no connection, no span."""
    with opened_tracer(TracingSettings(), new_instruments(TRACING_METRICS), role="archive") as tracer:
        assert tracer is None


def test_the_names_of_opentelemetry_are_read_where_none_of_ours_is_set() -> None:
    """The name for traces alone is stronger than the one for all signals."""
    layer = from_foreign_names(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:4318/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x",
        }
    )
    assert {key: given.value for key, given in layer.items()} == {
        "tracing.endpoint_url": "http://traces:4318/v1/traces",
        "tracing.headers": "authorization=Bearer%20x",
    }


@pytest.mark.parametrize("endpoint", ["http://collector:4318", "http://collector:4318/v1/traces"])
def test_the_path_of_traces_is_added_once(endpoint: str) -> None:
    """Both forms are in use: OpenTelemetry has a name for each."""
    assert traces_url(endpoint) == "http://collector:4318/v1/traces"


def test_headers_are_percent_encoded_pairs() -> None:
    """As in OTEL_EXPORTER_OTLP_HEADERS."""
    assert header_pairs("Authorization=Bearer%20a%3D, x-scope=team ,") == {
        "authorization": "Bearer a=",
        "x-scope": "team",
    }


@pytest.mark.parametrize(
    "text",
    ["Bearer hidden", "=hidden", "a b=hidden", "x=hid\nden", "x=hidden%0A", "x=%20hidden", "x=hidden%C3%A9"],
)
def test_bad_headers_are_refused_without_their_values(text: str) -> None:
    """They hold a token."""
    with pytest.raises(ValidationError) as refused:
        TracingSettings(headers=SecretStr(text))
    assert "name=value" in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_file_of_authorities_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The process does not start, and says which setting is wrong."""
    settings = TracingSettings(endpoint_url="https://collector:4318", tls_ca_file=tmp_path / "none.pem")
    with (
        pytest.raises(ConfigurationError, match="KASCRIBE_TRACING_TLS_CA_FILE"),
        opened_tracer(settings, new_instruments(TRACING_METRICS), role="archive"),
    ):
        pass
