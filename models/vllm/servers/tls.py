"""TLS contexts for connections to language model servers."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from schemas.errors import ConfigurationError
from schemas.settings import VllmSettings

_AUTHORITIES: Final = "KASCRIBE_VLLM_TLS_CA_FILE"
_CERTIFICATE: Final = "KASCRIBE_VLLM_TLS_CERTIFICATE_FILE"
_KEY: Final = "KASCRIBE_VLLM_TLS_KEY_FILE"
_NOT_TRUSTED: Final = ("local issuer certificate", "self-signed certificate", "self signed certificate")


def tls_context(settings: VllmSettings) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities or ``tls_ca_file``, with a client certificate if set.

    Raises ConfigurationError, naming the variable, for files that cannot be used.
    """
    with _usable(_AUTHORITIES, settings.tls_ca_file):
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None:
        if key is not None:
            raise ConfigurationError(f"{_KEY} is set and {_CERTIFICATE} is not: set both or none")
        return context
    for name, path in ((_CERTIFICATE, certificate), (_KEY, key or certificate)):
        with _usable(name, path):
            path.open("rb").close()  # ssl does not say which of the two files is missing
    with _usable(f"{_CERTIFICATE}, {_KEY}", certificate, key):
        # Without a password argument, OpenSSL prompts on the terminal for that of an encrypted key.
        context.load_cert_chain(certificate, key, password="")
    return context


def advice(failure: str) -> str:
    """Return what to do about a connection that failed for lack of trust; empty for other failures."""
    return (
        f": {_AUTHORITIES} names the authorities to trust" if any(one in failure for one in _NOT_TRUSTED) else ""
    )


@contextmanager
def _usable(name: str, *paths: Path | None) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        named = ", ".join(str(path) for path in paths if path)
        raise ConfigurationError(f"{name}: {named} cannot be used: {error}") from error
