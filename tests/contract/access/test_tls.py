"""TLS of the gateway, with real clients and certificates made here."""

import http.client
import json
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from producers.gateway.access.tls import tls_context
from schemas.errors import ConfigurationError
from schemas.settings import GatewaySettings
from tests.contract.access.serving import serving
from tests.contract.vllm.certificates import Authority, Certified
from tests.support.health_checks import exit_code, of_image


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of the test's own."""
    return Authority(tmp_path, "authority")


@pytest.fixture
def certified(authority: Authority) -> Certified:
    """Return a certificate of the gateway, for 127.0.0.1."""
    return authority.certify("gateway")


def asked(port: int, context: ssl.SSLContext) -> http.client.HTTPResponse:
    """Request the health of a gateway over TLS."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    connection.request("GET", "/health", headers={"Connection": "close"})
    return connection.getresponse()


def test_a_client_that_trusts_the_authority_is_served_over_tls(authority: Authority, certified: Certified) -> None:
    """TLS 1.2 at least; certificate and key in two files, or in one; the answer has the security headers."""
    both = certified.certificate.with_suffix(".both.pem")
    both.write_bytes(certified.certificate.read_bytes() + certified.key.read_bytes())
    for files in (
        {"tls_certificate_file": certified.certificate, "tls_key_file": certified.key},
        {"tls_certificate_file": both},
    ):
        with serving(**files) as server:
            answer = asked(server.port, ssl.create_default_context(cafile=authority.file))
            assert (answer.status, json.loads(answer.read())["status"]) == (200, "ok")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Server"] is None


def test_a_client_that_does_not_trust_it_sends_nothing(certified: Certified) -> None:
    """The certificate is checked by the client, and is the gateway's own."""
    with (
        serving(tls_certificate_file=certified.certificate, tls_key_file=certified.key) as server,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        asked(server.port, ssl.create_default_context())


def test_an_old_protocol_is_refused(authority: Authority, certified: Certified) -> None:
    """TLS 1.1 has had no security for long (RFC 8996)."""
    old = ssl.create_default_context(cafile=authority.file)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        serving(tls_certificate_file=certified.certificate, tls_key_file=certified.key) as server,
        pytest.raises(ssl.SSLError),
    ):
        asked(server.port, old)


def test_files_that_cannot_serve_are_refused_at_start(authority: Authority, certified: Certified) -> None:
    """The sentence names the settings and the file; a passphrase is asked for on no terminal."""
    other = authority.certify("other")
    locked = certified.key.with_suffix(".locked")
    key = serialization.load_pem_private_key(certified.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    for files in (
        {"tls_key_file": certified.key},
        {"tls_certificate_file": certified.certificate},
        {"tls_certificate_file": certified.certificate, "tls_key_file": other.key},
        {"tls_certificate_file": certified.certificate, "tls_key_file": locked},
        {"tls_certificate_file": Path("/nowhere/gateway.pem"), "tls_key_file": certified.key},
        {"tls_certificate_file": certified.certificate, "tls_key_file": Path("/nowhere/gateway.key")},
    ):
        with pytest.raises(ConfigurationError, match="KASCRIBE_GATEWAY_TLS_CERTIFICATE_FILE"):
            tls_context(GatewaySettings.model_validate(files))


def test_without_a_certificate_there_is_no_tls() -> None:
    """A proxy in front may have it."""
    assert tls_context(GatewaySettings()) is None
    with serving() as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()


def test_plain_http_gets_an_answer_that_says_what_to_use(authority: Authority, certified: Certified) -> None:
    """A person who typed http:// learns about https:// instead of an empty reply; others are served meanwhile."""
    with (
        serving(tls_certificate_file=certified.certificate, tls_key_file=certified.key) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20),  # sends nothing
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
        connection.close()
        assert (answer.status, error["reason"]) == (400, "tls_required")
        assert "https://" in error["message"]
        assert asked(server.port, ssl.create_default_context(cafile=authority.file)).status == 200


def test_a_client_that_begins_no_handshake_is_closed(certified: Certified) -> None:
    """After the time that a client has for its headers."""
    files = {"tls_certificate_file": certified.certificate, "tls_key_file": certified.key}
    with (
        serving(**files, header_timeout_seconds=0.2) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent,
    ):
        assert silent.recv(1) == b""


def test_the_health_check_of_the_image_speaks_tls_where_the_gateway_does(certified: Certified) -> None:
    """The container's own certificate is not for the address that its check uses: it is not verified there."""
    files = {"tls_certificate_file": certified.certificate, "tls_key_file": certified.key}
    with serving(**files) as server:
        port = {"KASCRIBE_GATEWAY_PORT": str(server.port)}
        tls = {"KASCRIBE_GATEWAY_TLS_CERTIFICATE_FILE": str(certified.certificate)}
        assert exit_code(of_image("gateway"), {**port, **tls}) == 0
        assert exit_code(of_image("gateway"), port) != 0
