"""``kascribe reconcile`` as an operator runs it: once, again and again, and beside services that are down."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from kascribe.cli import main
from kascribe.commands.reconcile import _seconds
from producers.s3 import create_client
from schemas.settings import S3Settings
from tests.contract.reconciler.command import reconcile_once, reconciling
from tests.demo.role import free_port
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore

PROBLEM = "not everything could be reconciled"
SOLVED = "everything could be reconciled again"


@pytest.fixture
def broker() -> Iterator[MockCluster]:
    """Run a Kafka broker in this process."""
    with MockCluster() as cluster:
        yield cluster


def environment_of(settings: S3Settings, broker: MockCluster) -> dict[str, str]:
    """Return the settings that reach the test's servers."""
    return {
        **MOTO_CREDENTIALS,
        "KASCRIBE_S3_ENDPOINT_URL": settings.endpoint_url or "",
        "KASCRIBE_S3_BUCKET": settings.bucket,
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "KASCRIBE_KAFKA_TOPIC_PARTITIONS": "1",
    }


def test_one_run_requests_what_is_missing_and_says_so(moto_store: ObjectStore, broker: MockCluster) -> None:
    """A dry run tells each object; the run after it publishes, and fails because of a bucket that is missing."""
    settings = moto_store.settings()
    moto_store.put(settings, "a.wav", b"audio")
    environment = environment_of(settings, broker)
    dry = reconcile_once(environment, "--dry-run", "--json")
    told, summary = map(json.loads, dry.stdout.splitlines())
    assert (dry.returncode, told["outcome"], told["uri"]) == (0, "published", f"s3://{settings.bucket}/a.wav")
    assert (summary["seen"], summary["published"]) == (1, 1)
    done = reconcile_once({**environment, "KASCRIBE_S3_ALLOWED_BUCKETS": f"no-such-bucket,{settings.bucket}"})
    assert (done.returncode, done.stdout) == (1, "1 seen: 0 own, 0 too young, 0 known, 1 published, 0 refused\n")
    assert "no-such-bucket" in done.stderr
    (record,) = records_on(broker.bootstrap_servers, "audio.references", count=1, partitions=4)
    assert record.key == told["job_id"].encode()


def test_an_outage_is_survived_and_told_once(broker: MockCluster, tmp_path: Path) -> None:
    """The bucket, then the broker: the runs go on, health says what is wrong, and nothing is missed."""
    port = free_port()
    settings = S3Settings(endpoint_url=f"http://127.0.0.1:{port}", bucket="audio", timeout_seconds=1)
    environment = {**environment_of(settings, broker), "KASCRIBE_S3_TIMEOUT_SECONDS": "1"}
    broker.stop_broker()
    with reconciling(environment, tmp_path) as running:
        running.wait_for(lambda summary: summary["problem"] is not None, what="a run without a bucket")
        assert (running.health("/health/live"), running.health("/health/ready")) == (200, 503)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in MOTO_CREDENTIALS.items():
                    patch.setenv(name, value)
                client = create_client(settings)
                client.create_bucket(Bucket="audio")
                client.put_object(Bucket="audio", Key="a.wav", Body=b"audio")
            running.wait_for(lambda summary: "broker" in (summary["problem"] or ""), what="a run without a broker")
            broker.start_broker()
            running.wait_for(lambda summary: summary["published"] == 1, what="the request")
            known = running.wait_for(lambda summary: summary["known"] == 1, what="a run that knows the job")
            assert known["problem"] is None
            assert running.health("/health/ready") == 200
            assert 'kascribe_reconciled_objects_total{outcome="published"} 1.0' in running.metrics()
            assert (running.logged(PROBLEM), running.logged(SOLVED), running.published()) == (1, 1, 1)
            assert running.stop() == 0
        finally:
            server.stop()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--once", "--every", "10m"), "--once and --every exclude each other"),
        (("--every", "soon"), "'soon' is no duration: write 90s, 10m, 2h or 1d"),
        (("--once", "--bucket", "others"), "bucket 'others' is not allowed (only audio)"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence, and exit code 2."""
    monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["kascribe", "reconcile", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("2d", 172_800)]
)
def test_durations_are_numbers_with_a_unit(text: str, seconds: float) -> None:
    """Seconds without one."""
    assert _seconds(text) == seconds
