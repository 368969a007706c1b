"""Certificates on the way to a language model server: theirs, ours, and files that are none."""

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
    """Whom the test trusts."""
    return Authority(tmp_path, "ours")


@pytest.fixture
def ours(authority: Authority) -> Certified:
    """Our own certificate."""
    return authority.certifies("client")


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    """The server's side; it asks for no certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = authority.certifies("server")
    made.load_cert_chain(server.certificate, server.key)
    return made


@pytest.fixture
def server(context: ssl.SSLContext) -> Iterator[VllmDouble]:
    """A server on TLS."""
    with running(VllmDouble(context_tokens=4_096), tls=context) as one:
        yield one


def test_a_server_is_trusted_by_the_authority_that_is_given(
    authority: Authority, server: VllmDouble, opened: Opener
) -> None:
    """A private authority needs no change to the system."""
    enricher = opened(base_url=server.base_url, tls_ca_file=authority.file)
    assert enricher.enrich(request_for(enricher, spoken(5), "title")).results


@pytest.mark.parametrize("is_given", [False, True])
def test_a_server_of_an_unknown_authority_is_not_spoken_to(
    is_given: bool, server: VllmDouble, opened: Opener, tmp_path: Path
) -> None:
    """Intake pauses, and the message names the variable; nothing was sent."""
    other = Authority(tmp_path, "other").file if is_given else None
    enricher = opened(base_url=server.base_url, tls_ca_file=other)
    with pytest.raises(DependencyDown, match="KASCRIBE_VLLM_TLS_CA_FILE"):
        enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert not server.requests


def test_a_server_that_asks_who_we_are_is_told(
    authority: Authority, ours: Certified, context: ssl.SSLContext, server: VllmDouble, opened: Opener
) -> None:
    """With a certificate the job completes, without one the server is of no use."""
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
    """At the start, by the variable and the path."""
    (tmp_path / "nonsense").write_text("nothing", encoding="utf-8")
    (tmp_path / "directory").mkdir()
    files: dict[str, Any] = {"tls_certificate_file": ours.certificate, "tls_key_file": ours.key} | {
        setting: tmp_path / wrong
    }
    with pytest.raises(ConfigurationError, match=f"KASCRIBE_VLLM_{setting.upper()}") as raised:
        opened(base_url="https://127.0.0.1:1", **files)
    assert str(tmp_path / wrong) in str(raised.value)


def test_a_key_of_another_certificate_is_said_to_be(authority: Authority, ours: Certified, opened: Opener) -> None:
    """Both files can be read, and do not go together; a key alone is of no use either."""
    other = authority.certifies("other")
    with pytest.raises(ConfigurationError, match="KASCRIBE_VLLM_TLS_KEY_FILE"):
        opened(base_url="https://127.0.0.1:1", tls_certificate_file=ours.certificate, tls_key_file=other.key)
    with pytest.raises(ConfigurationError, match="set both or none"):
        opened(base_url="https://127.0.0.1:1", tls_key_file=ours.key)
