"""How the gateway refuses what cannot be done: one body, the right status, in bounded time."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Final

import pytest

from kascribe.wiring.gateway import gateway_server
from producers.gateway.forms import body
from schemas.errors import ConfigurationError
from schemas.settings import S3Settings
from tests.flow.gateway import Gateway, GatewayBench, gateway_bench, multipart
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore, running_object_store
from tests.support.waiting import eventually

FORM: Final = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Run one S3 server for the module."""
    with running_object_store() as running:
        yield running


@pytest.fixture
def bench(broker: MockCluster, store: ObjectStore) -> Iterator[GatewayBench]:
    """Open a broker with topics and a bucket, without a transcriber."""
    with gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened:
        yield opened


@pytest.fixture(scope="module")
def front(store: ObjectStore) -> Iterator[Gateway]:
    """Open a gateway for requests that never become jobs."""
    with (
        MockCluster() as broker,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        yield opened.gateway()


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/transcribe", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
    ],
)
def test_what_is_no_route_is_reported_in_the_same_body(
    front: Gateway, method: str, path: str, status: int, reason: str
) -> None:
    """The framework's own errors have it too, and carry the trace as well."""
    answer = front.request(method, path)
    assert (answer.status, answer.reason) == (status, reason)
    assert len(answer.headers["x-trace-id"]) == 32


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        (FORM, b"no form at all", "invalid_form"),
        (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "invalid_form"),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nko\r\n--b--\r\n', "file_missing"),
        ("multipart/form-data", b"--b--", "invalid_form"),
        ("application/json", b"{}", "file_missing"),
        ("application/x-www-form-urlencoded", b"file=x", "file_missing"),
        ("text/plain", b"", "file_missing"),
    ],
)
def test_a_broken_form_is_refused(front: Gateway, content_type: str, body: bytes, reason: str) -> None:
    """400 and the mistake, whatever is sent."""
    answer = front.request("POST", "/transcribe", body, {"Content-Type": content_type})
    assert (answer.status, answer.reason) == (400, reason)


def test_files_and_options_are_checked_before_anything_is_stored(front: Gateway) -> None:
    """An empty file, wrong options, nothing to do, an endless key: each has its reason."""
    assert front.post("/transcribe", b"").reason == "audio_empty"
    assert front.post("/transcribe", b"x", beam_size="99").reason == "invalid_options"
    assert front.post("/transcribe-and-process", b"x").reason == "invalid_options"
    assert front.post("/transcribe", b"x", tenant="t" * 200).reason == "invalid_options"
    assert front.post("/transcribe", b"x", headers={"Idempotency-Key": "k" * 600}).reason == "invalid_options"
    assert front.post("/transcribe", b"x", language="ko" * 50_000).reason == "invalid_form"


def test_health_names_what_answers(front: Gateway) -> None:
    """Both services, and ok when both answer."""
    answer = front.request("GET", "/health")
    assert (answer.status, answer.body) == (
        200,
        {"status": "ok", "dependencies": {"kafka": True, "bucket": True}},
    )


def test_a_client_that_leaves_in_the_middle_of_its_upload_leaves_nothing(
    bench: GatewayBench, store: ObjectStore
) -> None:
    """Nothing in the bucket, on a topic or in the table of waiting requests; the next request is served."""
    gateway = bench.gateway()
    body, content_type = multipart(bytes(100_000))
    head = f"POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:50_000])
        eventually(lambda: gateway.requests_in_progress == 1, timeout_seconds=20, what="the request's start")
    eventually(lambda: gateway.requests_in_progress == 0, timeout_seconds=20, what="the request's end")
    assert gateway.waiting == 0
    assert store.keys(bench.settings.s3.bucket) == []
    assert gateway.request("GET", "/health").status == 200


def test_an_upload_that_takes_too_long_is_not_reported_as_going_on(bench: GatewayBench) -> None:
    """504 also for a caller with a key: nothing was submitted yet, so all of it has to be sent again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = S3Settings(endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=2.0)
        recalling = bench.gateway(
            settings=bench.settings.model_copy(update={"s3": hanging}), answer_timeout_seconds=1.0
        )
        answer = recalling.post("/transcribe", wav_bytes(1), headers={"Idempotency-Key": "call-7"})
    assert (answer.status, answer.reason) == (504, "answer_timeout")
    assert "nothing was asked for" in answer.body["error"]["message"]
    assert "goes on" not in answer.body["error"]["message"]


def test_an_address_that_is_taken_is_reported_by_the_name_of_its_setting(bench: GatewayBench) -> None:
    """One sentence that names what to change, instead of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        front = bench.settings.gateway.model_copy(update={"port": taken.getsockname()[1]})
        server = gateway_server(bench.settings.model_copy(update={"gateway": front}))
        with pytest.raises(ConfigurationError, match="KASCRIBE_GATEWAY_PORT"):
            server.run()


def test_an_enrichment_without_an_enricher_is_refused_at_once(bench: GatewayBench, store: ObjectStore) -> None:
    """503 that names what is missing, and nothing is stored; transcribing is not affected."""
    answer = bench.gateway(enrichment=False).post(
        "/transcribe-and-process", wav_bytes(1), instruction="in one word"
    )
    assert (answer.status, answer.reason) == (503, "enrichment_off")
    assert "KASCRIBE_VLLM_BASE_URL" in answer.body["error"]["message"]
    assert store.keys(bench.settings.s3.bucket) == []


def test_a_broker_that_is_down_is_reported_within_a_bounded_time(bench: GatewayBench, broker: MockCluster) -> None:
    """503 dependency_down with a retry time; health names the service, and does not wait."""
    gateway = bench.gateway()
    broker.stop_broker()
    began = time.monotonic()
    answer = gateway.post("/transcribe", wav_bytes(1))
    assert (answer.status, answer.reason) == (503, "dependency_down")
    assert "retry-after" in answer.headers
    assert time.monotonic() - began < 20
    health = gateway.request("GET", "/health")
    assert health.body == {"status": "degraded", "dependencies": {"kafka": False, "bucket": True}}


def test_a_bucket_that_is_down_is_reported_within_a_bounded_time(bench: GatewayBench) -> None:
    """503 dependency_down, and the gateway goes on serving."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = S3Settings(endpoint_url=f"http://127.0.0.1:{closed.getsockname()[1]}")
        gateway = bench.gateway(settings=bench.settings.model_copy(update={"s3": nowhere}))
        answer = gateway.post("/transcribe", wav_bytes(1))
    assert (answer.status, answer.reason) == (503, "dependency_down")
    assert gateway.request("GET", "/health").body["dependencies"] == {"kafka": True, "bucket": False}


def test_a_body_above_the_limit_is_refused(bench: GatewayBench) -> None:
    """413 also where the form around the file would have had room, and the client can read it."""
    gateway = bench.gateway(upload_limit_bytes=100_000)
    for size in (100_001, 3_000_000):
        answer = gateway.post("/transcribe", bytes(size))
        assert (answer.status, answer.reason) == (413, "audio_too_large")


def test_a_body_of_unknown_length_is_refused_while_it_comes(
    bench: GatewayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """413 as soon as it exceeds the limit: this one never ends, and its file would be measured at its end only."""
    monkeypatch.setattr(body, "DISCARD_SECONDS", 0.5)
    gateway = bench.gateway(upload_limit_bytes=100_000)
    sent, content_type = multipart(bytes(100_000 + 2 * body.FORM_BYTES))
    head = f"POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(sent):x}\r\n".encode() + sent[:-1])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        refusal = json.loads(answer.read())
    assert (answer.status, refusal["error"]["reason"]) == (413, "audio_too_large")
