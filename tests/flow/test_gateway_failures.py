"""What the gateway says to what cannot be done: one body, the right status, in bounded time."""

import socket
import time
from collections.abc import Iterator

import pytest

from schemas.settings import S3Settings
from tests.flow.gateway import Gateway, House, multipart, opened_house
from tests.flow.mock_cluster import MockCluster
from tests.object_store import ObjectStore, running_object_store
from tests.wav_listener import wav_bytes

FORM = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """One S3 server for the module."""
    with running_object_store() as running:
        yield running


@pytest.fixture
def house(broker: MockCluster, store: ObjectStore) -> Iterator[House]:
    """A broker with topics and a bucket, and nobody who transcribes."""
    with opened_house(broker.bootstrap_servers, store.settings(), store.client) as opened:
        yield opened


@pytest.fixture(scope="module")
def front(store: ObjectStore) -> Iterator[Gateway]:
    """A gateway for requests that never become jobs."""
    with (
        MockCluster() as broker,
        opened_house(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        yield opened.gateway()


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/", 404, "not_found"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/transcribe", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
    ],
)
def test_what_is_no_route_is_said_in_the_same_body(
    front: Gateway, method: str, path: str, status: int, reason: str
) -> None:
    """The framework's own refusals are no exception, and carry the trace as well."""
    answer = front.request(method, path)
    assert (answer.status, answer.reason) == (status, reason)
    assert len(answer.headers["x-trace-id"]) == 32


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        (FORM, b"no form at all", "invalid_form"),
        (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "invalid_form"),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n', "file_missing"),
        ("multipart/form-data", b"--b--", "invalid_form"),
        ("application/json", b"{}", "file_missing"),
        ("application/x-www-form-urlencoded", b"file=x", "file_missing"),
        ("text/plain", b"", "file_missing"),
    ],
)
def test_a_broken_form_is_refused(front: Gateway, content_type: str, body: bytes, reason: str) -> None:
    """400 and what is wrong, whatever is sent."""
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
    """Both services, and ok when both are there."""
    answer = front.request("GET", "/health")
    assert (answer.status, answer.body) == (
        200,
        {"status": "ok", "dependencies": {"kafka": True, "bucket": True}},
    )


def test_a_client_that_leaves_in_the_middle_of_its_upload_leaves_nothing(front: Gateway) -> None:
    """The next request is served, and nobody waits for the first."""
    body, content_type = multipart(bytes(100_000))
    head = f"POST /transcribe HTTP/1.1\r\nHost: gateway\r\nContent-Type: {content_type}\r\n"
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:50_000])
    assert front.request("GET", "/health").status == 200
    assert front.waiting == 0


def test_a_broker_that_is_down_is_said_within_a_bounded_time(house: House, broker: MockCluster) -> None:
    """503 dependency_down with when to come again; health says which service it is, and does not wait."""
    gateway = house.gateway()
    broker.stop_broker()
    began = time.monotonic()
    answer = gateway.post("/transcribe", wav_bytes(1))
    assert (answer.status, answer.reason) == (503, "dependency_down")
    assert "retry-after" in answer.headers
    assert time.monotonic() - began < 20
    health = gateway.request("GET", "/health")
    assert health.body == {"status": "degraded", "dependencies": {"kafka": False, "bucket": True}}


def test_a_bucket_that_is_down_is_said_within_a_bounded_time(house: House) -> None:
    """503 dependency_down, and the gateway goes on serving."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = S3Settings(endpoint_url=f"http://127.0.0.1:{closed.getsockname()[1]}")
        gateway = house.gateway(settings=house.settings.model_copy(update={"s3": nowhere}))
        answer = gateway.post("/transcribe", wav_bytes(1))
    assert (answer.status, answer.reason) == (503, "dependency_down")
    assert gateway.request("GET", "/health").body["dependencies"] == {"kafka": True, "bucket": False}
