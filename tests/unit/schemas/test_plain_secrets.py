"""Tokens and passwords are not sent where they can be read on the way."""

from typing import Any

import pytest

from schemas.settings import Settings
from schemas.settings.plain_secrets import exposed_secrets, is_plain_http, is_this_machine

SASL_PLAIN = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.password": "hidden"}


def refusals(**sections: Any) -> list[str]:
    """Return the sentences about these settings."""
    return list(exposed_secrets(Settings.model_validate(sections)))


def vllm(address: str, **more: Any) -> list[str]:
    """Return the sentences about a key that is sent there."""
    return refusals(vllm={"base_url": address, "api_key": "hidden"}, **more)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"]
)
def test_this_machine_is_known_by_its_names(host: str) -> None:
    """Nothing leaves it."""
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["vllm", "10.0.0.1", "localhost.example", "[fd00::1]", "", "127.0.0.1.example"])
def test_other_machines_are_not_taken_for_this_one(host: str) -> None:
    """Whatever they are called."""
    assert not is_this_machine(host)


def test_only_http_is_plain() -> None:
    """To this machine it may be."""
    assert is_plain_http("http://vllm:8000")
    assert is_plain_http("HTTP://vllm")
    assert not is_plain_http("https://vllm:8000")
    assert not is_plain_http("http://127.0.0.1:8000")


def test_the_language_models_key_needs_tls() -> None:
    """To each of several servers; the sentence names variable, address and remedy, and not the key."""
    (sentence,) = vllm("https://one.example,http://two.example:8000")
    assert sentence == (
        "KASCRIBE_VLLM_API_KEY would be sent to http://two.example:8000 without TLS: use https, or name "
        "two.example in KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to it is trusted"
    )
    assert vllm("http://localhost:8000,https://one.example") == []
    assert "hidden" not in vllm("http://user:hidden@two.example:8000")[0]
    (sentence,) = refusals(vllm={"base_url": "http://user:hidden@two.example:8000"})
    assert sentence.startswith("the password in KASCRIBE_VLLM_BASE_URL would be sent to http://two.example:8000")
    assert refusals(vllm={"base_url": "http://two.example:8000"}) == []


def test_hosts_that_are_named_may_be_told() -> None:
    """Exactly, or all below a domain; not a domain that only ends in the same letters."""
    named = {"plaintext_hosts": ["vllm", "*.svc.cluster.local"]}
    assert vllm("http://VLLM:8000", security=named) == []
    assert vllm("http://vllm.ai.svc.cluster.local:8000", security=named) == []
    assert len(vllm("http://my-vllm:8000", security=named)) == 1
    assert len(vllm("http://othersvc.cluster.local:8000", security=named)) == 1


def test_headers_of_traces_need_tls() -> None:
    """They hold the collector's token."""
    tracing = {"endpoint_url": "http://collector.example:4318", "headers": "authorization=hidden"}
    (sentence,) = refusals(tracing=tracing)
    assert sentence.startswith("KASCRIBE_TRACING_HEADERS would be sent to http://collector.example:4318")
    assert refusals(tracing={"endpoint_url": tracing["endpoint_url"]}) == []


def test_kafkas_password_needs_tls_where_it_is_sent() -> None:
    """PLAIN and OAUTHBEARER send it; SCRAM does not. Each broker counts."""
    servers = "localhost:9092,kafka.example:9092"
    (sentence,) = refusals(kafka={"bootstrap_servers": servers, "properties": SASL_PLAIN})
    assert sentence == (
        "the password of sasl.mechanism PLAIN would be sent to kafka.example:9092 without TLS: use "
        "security.protocol SASL_SSL, or name kafka.example in KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to "
        "it is trusted"
    )
    for change in ({"security.protocol": "SASL_SSL"}, {"sasl.mechanism": "SCRAM-SHA-512"}):
        assert refusals(kafka={"bootstrap_servers": servers, "properties": SASL_PLAIN | change}) == []
    bearer = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "OAUTHBEARER"}
    assert "the token of" in refusals(kafka={"bootstrap_servers": "kafka:9092", "properties": bearer})[0]
    assert refusals(kafka={"bootstrap_servers": "127.0.0.1:9092", "properties": SASL_PLAIN}) == []
    assert refusals(kafka={"bootstrap_servers": "[::1]:9092", "properties": SASL_PLAIN}) == []


def test_a_client_secret_needs_tls_to_the_issuer_of_tokens() -> None:
    """Whatever the way to the brokers is."""
    oidc = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.client.secret": "hidden",
        "sasl.oauthbearer.token.endpoint.url": "http://issuer.example/token",
    }
    (sentence,) = refusals(kafka={"bootstrap_servers": "kafka:9092", "properties": oidc})
    assert sentence.startswith("sasl.oauthbearer.client.secret would be sent to http://issuer.example/token")


@pytest.mark.parametrize("servers", ["SASL_PLAINTEXT://localhost:9092", "SASL_PLAINTEXT://[::1]:9092"])
def test_a_brokers_address_may_name_its_protocol(servers: str) -> None:
    """As librdkafka takes it."""
    assert refusals(kafka={"bootstrap_servers": servers, "properties": SASL_PLAIN}) == []


def test_a_malformed_address_is_refused_with_a_sentence() -> None:
    """And with no traceback."""
    (sentence,) = refusals(kafka={"bootstrap_servers": "[::1:9092", "properties": SASL_PLAIN})
    assert "[::1:9092 without TLS" in sentence
