"""What operators see of a gateway: metrics, the access log, live and ready."""

import http.client
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.flow.gateway import Gateway, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import running_object_store
from tests.support.waiting import eventually


@pytest.fixture
def bench(broker: MockCluster) -> Iterator[GatewayBench]:
    """Run a broker and a bucket; gateways are added by tests."""
    with (
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        yield opened


def metrics_of(gateway: Gateway) -> dict[str, float]:
    """Read the metrics: the value of each name with its labels."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_requests_are_measured_by_route_and_status(bench: GatewayBench) -> None:
    """Routes are templates and methods known words, so that no client can add labels."""
    gateway = bench.gateway(enrichment=False)
    gateway.request("GET", "/v1/jobs/0123456789abcdef0123456789abcdef")
    gateway.request("GET", "/nothing/at/all?key=1")
    gateway.request("BREW", "/health")
    with capture_logs():
        values = metrics_of(gateway)
    counted = {name for name in values if name.startswith("kascribe_http_requests_total")}
    found = 'kascribe_http_requests_total{family="Jobs",method="GET",route="/v1/jobs/{job_id}",status="404"}'
    assert found in counted
    unknown = 'kascribe_http_requests_total{family="none",method="GET",route="none",status="404"}'
    assert values[unknown] == 1.0
    assert any('method="other"' in name and 'status="405"' in name for name in counted)
    assert values['kascribe_http_requests_in_progress{kind="probe"}'] == 1.0
    assert values["kascribe_http_connections"] >= 1.0
    assert values['kascribe_dependency_down{dependency="kafka"}'] == 0.0


def test_uploads_are_measured_and_logged_with_their_job(bench: GatewayBench) -> None:
    """One line with the job, the tenant and the trace; the query is not in it."""
    bench.start_transcriber()
    gateway = bench.gateway(enrichment=False)
    clip = wav_bytes(1)
    with capture_logs() as lines:
        answer = gateway.post("/transcribe?secret=1", clip, tenant="acme")
        gateway.request("GET", "/health")
        eventually(lambda: [x for x in lines if x["event"] == "request"], timeout_seconds=5, what="the line")
    assert answer.status == 200
    values = metrics_of(gateway)
    assert values["kascribe_upload_bytes_total"] == len(clip)
    assert values["kascribe_upload_spool_bytes"] == 0.0
    assert values["kascribe_uploads_in_progress"] == 0.0
    (line,) = (each for each in lines if each["event"] == "request")
    assert (line["method"], line["route"], line["path"]) == ("POST", "/transcribe", "/transcribe")
    assert (line["status"], line["tenant"], line["job_id"]) == (200, "acme", answer.body["job_id"])
    assert line["trace_id"] == answer.headers["x-trace-id"]
    assert line["received_bytes"] > len(clip)
    assert line["client"] == "127.0.0.1"
    assert "secret" not in str(line)


def test_the_access_log_can_be_turned_off(bench: GatewayBench) -> None:
    """KASCRIBE_GATEWAY_ACCESS_LOG=false."""
    gateway = bench.gateway(access_log=False)
    with capture_logs() as lines:
        assert gateway.request("GET", "/nothing").status == 404
    assert [line for line in lines if line["event"] == "request"] == []


def test_a_gateway_is_live_and_ready(bench: GatewayBench) -> None:
    """Its threads run, and what it needs answers."""
    gateway = bench.gateway(enrichment=False)
    live = gateway.request("GET", "/health/live")
    assert (live.status, live.body["facts"]) == (200, {"threads": {"publisher": True, "answers": True}})
    ready = gateway.request("GET", "/health/ready")
    assert (ready.status, ready.body["ok"]) == (200, True)
    assert ready.body["facts"] == {"dependencies": {"kafka": True, "bucket": True}}


def test_a_gateway_without_its_bucket_is_live_and_not_ready(bench: GatewayBench) -> None:
    """503, and what is missing; a new process would not repair it."""
    s3 = bench.settings.s3.model_copy(update={"bucket": "not-there"})
    settings = bench.settings.model_copy(update={"s3": s3})
    gateway = bench.gateway(settings=settings, enrichment=False)
    ready = gateway.request("GET", "/health/ready")
    assert (ready.status, ready.body["reasons"]) == (503, ["bucket does not answer"])
    assert gateway.request("GET", "/health/live").status == 200
    assert metrics_of(gateway)['kascribe_dependency_down{dependency="s3"}'] == 1.0
