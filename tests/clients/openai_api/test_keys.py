"""API keys as OpenAI's clients send them: wrong, without a right, above a limit, and with options of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest

from producers.api_keys.key import KeyDefaults, KeyLimits
from producers.api_keys.rights import Right
from producers.results import ResultStore
from schemas.identity import job_id
from tests.flow.front_doors.access.tenants import tenant
from tests.flow.gateway import Gateway, GatewayBench
from tests.sound.wav_listener import wav_bytes

FILE = ("call.wav", wav_bytes(2))


@pytest.fixture(scope="module")
def gateway(bench: GatewayBench) -> Gateway:
    """Start a gateway that needs keys."""
    return bench.gateway(keys="required")


@contextmanager
def client_with(gateway: Gateway, secret: str) -> Iterator[openai.OpenAI]:
    """Open a client with a key."""
    address = f"http://127.0.0.1:{gateway.port}/v1"
    with openai.OpenAI(base_url=address, api_key=secret, max_retries=0) as client:
        yield client


def test_a_key_of_the_gateway_is_the_client_s_key(bench: GatewayBench, gateway: Gateway) -> None:
    """For transcriptions, with and without a stream, and for models."""
    with client_with(gateway, tenant(bench, gateway, "acme").secret) as client:
        assert client.audio.transcriptions.create(file=FILE, model="whisper-1").text == "second 1. second 2."
        *_, done = client.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True)
        assert done.type == "transcript.text.done"
        assert [model.id for model in client.models.list()]


def test_a_wrong_key_is_an_authentication_error(gateway: Gateway) -> None:
    """With OpenAI's code for it."""
    with client_with(gateway, "sk-of-another-service") as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            client.models.list()
        assert raised.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            client.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True)


def test_a_key_without_the_right_is_denied(bench: GatewayBench, gateway: Gateway) -> None:
    """The message names the right."""
    reader = tenant(bench, gateway, "reader", rights=(Right.READ,))
    with (
        client_with(gateway, reader.secret) as client,
        pytest.raises(openai.PermissionDeniedError, match="transcribe") as raised,
    ):
        client.audio.transcriptions.create(file=FILE, model="whisper-1")
    assert raised.value.code == "right_missing"


def test_a_key_above_its_rate_is_a_rate_limit_error(bench: GatewayBench, gateway: Gateway) -> None:
    """By itself the client would wait and try again."""
    slow = tenant(bench, gateway, "slow", limits=KeyLimits(requests_per_minute=1))
    with client_with(gateway, slow.secret) as client:
        client.models.list()
        with pytest.raises(openai.RateLimitError) as raised:
            client.models.list()
    assert raised.value.code == "rate_limit_exceeded"
    assert int(raised.value.response.headers["retry-after"]) > 0


def test_options_of_a_key_apply_where_the_request_has_none(bench: GatewayBench, gateway: Gateway) -> None:
    """They change the job, not the shape of the answer: words come only where they are requested."""
    defaults = KeyDefaults(transcribe={"hotwords": "Kascribe", "word_timestamps": True, "model": "wav-listener"})
    glossary = tenant(bench, gateway, "glossary", defaults=defaults)
    with client_with(gateway, glossary.secret) as client:
        answer = client.audio.transcriptions.create(
            file=FILE,
            model="whisper-1",
            response_format="verbose_json",
            extra_headers={"Idempotency-Key": "glossary"},
        )
    assert answer.words is None
    stored = ResultStore(bench.settings.s3, client=bench.client).find_job(job_id("tenant:8:glossary:glossary"))
    assert stored is not None
    assert stored.reference is not None
    options = stored.reference.options
    assert (options.hotwords, options.word_timestamps, options.model) == ("Kascribe", True, "wav-listener")
