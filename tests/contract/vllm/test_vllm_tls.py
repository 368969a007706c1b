"""TLS to language model servers: server certificates, client certificates, and unusable files."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigurationError, DependencyDown
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.certificates import Authority, Certified
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_opening import Opener


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Create the authority that the test trusts."""
    return Authority(tmp_path, "ours")


@pytest.fixture
def ours(authority: Authority) -> Certified:
    """Create a client certificate."""
    return authority.certify("client")


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    """Create the server's TLS context, which requires no client certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = authority.certify("server")
    made.load_cert_chain(server.certificate, server.key)
    return made


@pytest.fixture
def server(context: ssl.SSLContext) -> Iterator[VllmDouble]:
    """Run a server on TLS."""
    with running(VllmDouble(context_tokens=4_096), tls=context) as one:
        yield one


def test_a_server_certified_by_the_configured_authority_is_trusted(
    authority: Authority, server: VllmDouble, opened: Opener
) -> None:
    """A private authority needs no change to the system's trust store."""
    enricher = opened(base_url=server.base_url, tls_ca_file=authority.file)
    assert enricher.enrich(request_for(enricher, spoken(5), "title")).results


@pytest.mark.parametrize("is_given", [False, True])
def test_a_server_of_an_unknown_authority_gets_no_request(
    is_given: bool, server: VllmDouble, opened: Opener, tmp_path: Path
) -> None:
    """Intake pauses, the message names the variable, and nothing was sent."""
    other = Authority(tmp_path, "other").file if is_given else None
    enricher = opened(base_url=server.base_url, tls_ca_file=other)
    with pytest.raises(DependencyDown, match="KASCRIBE_VLLM_TLS_CA_FILE"):
        enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert not server.requests


def test_a_server_that_requires_a_client_certificate_gets_it(
    authority: Authority, ours: Certified, context: ssl.SSLContext, server: VllmDouble, opened: Opener
) -> None:
    """With a certificate the job completes; without one the dependency is down."""
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    known = opened(
        base_url=server.base_url,
        tls_ca_file=authority.file,
        tls_certificate_file=ours.certificate,
        tls_key_file=ours.key,
    )
    assert known.enrich(request_for(known, spoken(5), "title")).results
    before = len(server.requests)
    unknown = opened(base_url=server.base_url, tls_ca_file=authority.file)
    with pytest.raises(DependencyDown):
        unknown.enrich(request_for(unknown, spoken(5), "title"))
    assert len(server.requests) == before


@pytest.mark.parametrize("wrong", ["missing", "nonsense", "directory"])
@pytest.mark.parametrize("setting", ["tls_ca_file", "tls_certificate_file", "tls_key_file"])
def test_a_certificate_file_that_cannot_be_used_is_named(
    setting: str, wrong: str, ours: Certified, opened: Opener, tmp_path: Path
) -> None:
    """The error at start names the variable and the path."""
    (tmp_path / "nonsense").write_text("nothing", encoding="utf-8")
    (tmp_path / "directory").mkdir()
    files: dict[str, Any] = {"tls_certificate_file": ours.certificate, "tls_key_file": ours.key} | {
        setting: tmp_path / wrong
    }
    with pytest.raises(ConfigurationError, match=f"KASCRIBE_VLLM_{setting.upper()}") as raised:
        opened(base_url="https://127.0.0.1:1", **files)
    assert str(tmp_path / wrong) in str(raised.value)


def test_a_key_that_does_not_match_its_certificate_is_refused(
    authority: Authority, ours: Certified, opened: Opener
) -> None:
    """Both files can be read but do not match; a key without a certificate is refused too."""
    other = authority.certify("other")
    with pytest.raises(ConfigurationError, match="KASCRIBE_VLLM_TLS_KEY_FILE"):
        opened(base_url="https://127.0.0.1:1", tls_certificate_file=ours.certificate, tls_key_file=other.key)
    with pytest.raises(ConfigurationError, match="set both or none"):
        opened(base_url="https://127.0.0.1:1", tls_key_file=ours.key)
