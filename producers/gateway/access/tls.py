"""TLS of the gateway's own listener."""

import ssl
from typing import Final

from schemas.errors import ConfigurationError
from schemas.settings import GatewaySettings

CERTIFICATE: Final = "KASCRIBE_GATEWAY_TLS_CERTIFICATE_FILE"
KEY: Final = "KASCRIBE_GATEWAY_TLS_KEY_FILE"


def tls_context(settings: GatewaySettings) -> ssl.SSLContext | None:
    """Load the certificate and its key; None where TLS is off. Reads files; raises ConfigurationError."""
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None:
        if key is not None:
            raise ConfigurationError(f"{KEY} names a key without a certificate: set {CERTIFICATE} too, or neither")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a passphrase fails: OpenSSL would ask for it on the terminal, or wait for one for ever.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"{CERTIFICATE} and {KEY}: {certificate} and {key or certificate} are no certificate with its key, in "
            f"PEM and without a passphrase ({error.reason or error})"
        ) from error
    except OSError as error:
        name = error.filename or (certificate if not certificate.is_file() else key)
        raise ConfigurationError(f"{CERTIFICATE} and {KEY}: {name} cannot be read ({error.strerror})") from error
    return context
