"""The key of ``kascribe mcp`` is not sent where it can be read on the way."""

import pytest

from kascribe.commands.mcp import gateway_of
from schemas.errors import ConfigurationError

FAR = "http://gateway.example:8001"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASCRIBE_API_KEY", "hidden")
    monkeypatch.delenv("KASCRIBE_SECURITY_PLAINTEXT_HOSTS", raising=False)


def test_a_key_is_refused_over_plain_http() -> None:
    """In a sentence that names host and remedies, and not the key."""
    with pytest.raises(ConfigurationError) as caught:
        gateway_of(FAR)
    assert str(caught.value) == (
        f"the API key would be sent to {FAR} without TLS: use https, or name gateway.example in "
        "KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to it is trusted"
    )


@pytest.mark.parametrize("url", ["https://gateway.example", "http://localhost:8001", "http://127.0.0.1:8001"])
def test_a_key_is_sent_with_tls_and_on_this_machine(url: str) -> None:
    """As everywhere else."""
    assert gateway_of(url).key == "hidden"


def test_a_host_that_is_named_may_get_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the setting that the roles have; one that is no host is refused."""
    monkeypatch.setenv("KASCRIBE_SECURITY_PLAINTEXT_HOSTS", "other, *.example")
    assert gateway_of(FAR).url == FAR
    monkeypatch.setenv("KASCRIBE_SECURITY_PLAINTEXT_HOSTS", "http://gateway.example")
    with pytest.raises(ConfigurationError, match="KASCRIBE_SECURITY_PLAINTEXT_HOSTS"):
        gateway_of(FAR)


def test_without_a_key_any_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to keep."""
    monkeypatch.delenv("KASCRIBE_API_KEY")
    assert gateway_of(FAR).key is None
