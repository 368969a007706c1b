"""The settings of the HTTP API."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from schemas.settings.types import ByteCount, Count, HostName, ModelAlias, Origin, Port, Seconds, Section

ANY_ADDRESS: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
LOCALHOST: Final = "localhost"

OPEN_GATEWAY: Final = (
    "anyone who reaches {host} can transcribe, and read every transcript: require keys "
    "(KASCRIBE_GATEWAY_KEYS=required, `kascribe keys add`), or listen on 127.0.0.1 (KASCRIBE_GATEWAY_HOST)"
)
"""The warning about a gateway without keys that is not on loopback."""


class GatewaySettings(Section):
    """The HTTP API."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=8001, description="0 takes a free one.")
    keys: Literal["off", "required"] = Field(
        default="off", description="required: every request needs an API key (`kascribe keys add`)."
    )
    allowed_hosts: tuple[HostName, ...] = Field(
        default=(),
        description="Names, without ports, under which clients reach the gateway; empty: those of this machine on "
        "a loopback address, any elsewhere.",
    )
    allowed_origins: tuple[Origin, ...] = Field(
        default=(), description="Web pages that may send requests from a browser, as in https://app.example."
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="Certificate, in PEM with its chain; the gateway then speaks TLS alone."
    )
    tls_key_file: Path | None = Field(
        default=None, description="Key of the certificate, if not in the same file; without a passphrase."
    )
    upload_limit_bytes: ByteCount = Field(default=2 * 1024**3, description="Larger uploads get 413.")
    answer_timeout_seconds: Seconds = Field(default=900.0, description="Longest wait for the job's event.")
    models: tuple[ModelAlias, ...] = Field(
        default=("whisper-1",),
        description="Names of models on the OpenAI-compatible routes: alone, a name stands for the model that the "
        "deployment serves; name=model requests that model.",
    )
    enrichment: bool = Field(
        default=True, description="Whether an enricher runs; false refuses /transcribe-and-process at once."
    )
    header_timeout_seconds: Seconds = Field(
        default=10.0,
        description="For the headers of a request, from the connection or from the last answer on; then 408.",
    )
    header_limit_bytes: ByteCount = Field(default=32 * 1024, description="Longer headers get 431.")
    connection_limit: Count = Field(
        default=2_000,
        description="Connections at once; fewer where the process may not have that many open files. When all are "
        "taken, the connection that has waited longest for the headers of a request is closed.",
    )
    client_connection_limit: Count = Field(
        default=600,
        description="Connections of one address at once. Raise it to connection_limit behind a proxy, from which "
        "all connections come.",
    )
    request_limit: Count = Field(
        default=1_000,
        description="Requests in progress at once, event streams, health and metrics apart; others get 503.",
    )
    stream_limit: Count = Field(default=500, description="Event streams at once; others get 503.")
    concurrent_upload_limit: Count = Field(
        default=800, description="Uploads that are received, or wait for the bucket, at once; others get 503."
    )
    spool_limit_bytes: ByteCount = Field(
        default=10 * 1024**3,
        description="For the uploads that are received, or wait for the bucket, in all (TMPDIR); others get 503. "
        "Some of the disk is left free in any case.",
    )
    upload_rate_bytes_per_second: Count = Field(
        default=1_024, description="Slower bodies of requests, over half a minute, get 408."
    )
    access_log: bool = Field(
        default=True, description="Whether each request is logged: one line, except for healthy probes."
    )

    @property
    def is_open(self) -> bool:
        """Whether every client that reaches the machine may send requests: no keys, and not on loopback."""
        return self.keys == "off" and not is_loopback(self.host)

    @property
    def url(self) -> str:
        """Where the gateway is reached from this machine."""
        host = LOCALHOST if self.host in ANY_ADDRESS else self.host
        scheme = "https" if self.tls_certificate_file else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return whether a name or an address means this machine alone."""
    name = host.strip("[]").rstrip(".").lower()
    if name == LOCALHOST or name.endswith(f".{LOCALHOST}"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
