"""Event streams on real servers, over gateways that come and go."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from producers.gateway.events import streams
from schemas.settings import S3Settings
from tests.flow.events.event_client import JOB, exists, reading, submit
from tests.flow.gateway import PARTITIONS, GatewayBench, gateway_bench
from tests.integration.stack import PrivateStack
from tests.support.object_store import credentials
from tests.support.waiting import eventually

EVENTS = f"/v1/jobs/{JOB}/events"


@pytest.fixture
def bench(stack: PrivateStack) -> Iterator[GatewayBench]:
    """Start the transcriber on the real broker and object store."""
    endpoint, bucket = stack.environment["KASCRIBE_S3_ENDPOINT_URL"], stack.new_bucket()
    with (
        credentials(stack.environment),
        gateway_bench(
            stack.bootstrap_servers,
            S3Settings(endpoint_url=endpoint, bucket=bucket),
            stack.s3,
            protocol="consumer",
        ) as opened,
    ):
        # The stack has made the topic of notifications, with three partitions.
        opened.start_transcriber(partitions=3 * PARTITIONS + 3)
        yield opened


def test_a_stream_goes_on_at_a_new_gateway(bench: GatewayBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a job, and of a tenant; long after its end a job is found in the topic by the time of its events."""
    monkeypatch.setattr(streams, "MARGIN", timedelta(seconds=2))
    bench.engine.gate.clear()
    first = bench.gateway()
    with reading(first, "/v1/events") as tenant:
        tenant.until_open()
        submit(bench)
        exists(first)
        with reading(first, EVENTS) as job:
            job.until("decoding")
            tenant.until("decoding")
            first.stop()
            job.until_end()
            tenant.until_end()
    second = bench.gateway()
    with (
        reading(second, "/v1/events", after=tenant.last_id) as tenant_again,
        reading(second, EVENTS, after=job.last_id) as job_again,
    ):
        bench.engine.gate.set()
        job_again.until_end()
        tenant_again.until("completed")
    whole = job.received + job_again.received
    assert [name for _, name, _ in whole][-1] == "completed"
    assert len({cursor for cursor, _, _ in whole}) == len(whole)
    assert [data for _, _, data in tenant.received + tenant_again.received] == [data for _, _, data in whole]
    state = second.request("GET", f"/v1/jobs/{JOB}").body
    ended = datetime.fromisoformat(state["updated_at"])
    eventually(lambda: datetime.now(UTC) > ended + timedelta(seconds=3), timeout_seconds=20)
    with reading(bench.gateway(), EVENTS) as late:
        late.until_end()
        assert late.received == whole
    assert second.status("GET", EVENTS, {"Last-Event-ID": late.last_id}) == 204
