"""A process that runs out of file descriptors: intake pauses, and no record pays for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, send
from tests.flow.stages import OUTPUT
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore, running_object_store
from tests.support.waiting import eventually

OBJECTS: Final = 60
DESCRIPTORS: Final = 64


@pytest.fixture
def moto_store() -> Iterator[ObjectStore]:
    """Run an S3 server in this process, which has all the descriptors that it needs."""
    with running_object_store() as store:
        yield store


def test_records_that_meet_a_shortage_of_descriptors_cost_no_attempt(
    broker: MockCluster, moto_store: ObjectStore, tmp_path: Path
) -> None:
    """With ulimit -n 64 and 40 fetches at once each object comes out in its first attempt, and no file is left."""
    create_topics(broker)
    store = moto_store.settings()
    names = [f"{number}.wav" for number in range(OBJECTS)]
    for name in names:
        moto_store.put(store, name, b"RIFF")
    command = [
        sys.executable,
        "-m",
        "tests.flow.runtime.starved",
        broker.bootstrap_servers,
        moto_store.endpoint_url,
    ]
    log = tmp_path / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, store.bucket, str(DESCRIPTORS), str(tmp_path)],
            env={**os.environ, **MOTO_CREDENTIALS},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        send(broker.bootstrap_servers, [f"s3://{store.bucket}/{name}" for name in names])
        outputs = records_on(broker.bootstrap_servers, OUTPUT, count=OBJECTS, timeout_seconds=120)
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == OBJECTS, timeout_seconds=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(30)
    assert {record.value for record in outputs} == {f"{name}: 4".encode() for name in names}
    assert {record.header("attempt") for record in outputs} == {b"1"}
    assert "descriptors" in log.read_text(), "there was no shortage"
    assert [left.name for left in tmp_path.iterdir()] == ["log"]
