"""Processes that are killed from outside while innocent records run: ``python -m tests.chaos.kills``.

Every record must come out, and none may be given up as one that kills its process. The broker is librdkafka's mock
cluster; the runtime, the outbox and the processes are real.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from random import Random
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from consumers.runtime.offsets.commit_metadata import CommitMetadata
from schemas.kafka.topics import dead_letter_topic
from tests.flow.mock_cluster import MockCluster
from tests.flow.running import committed, create_topics, outputs_until, send, victim
from tests.flow.stages import TOPIC
from tests.support.waiting import eventually

RECORD_SECONDS: Final = 0.8
"""The mean; exponentially distributed."""

KILL_SECONDS: Final = (1.0, 8.0)
"""Counted from when the process has the partition."""

JOIN_SECONDS: Final = 60.0


def kill_again_and_again(broker: MockCluster, *, records: int, kills: int, random: Random) -> int:
    """Send the records, kill processes over them, let the last process finish; return how many dead letters came.

    Blocks until every record has come out.
    """
    servers = broker.bootstrap_servers
    create_topics(broker)
    send(servers, [f"lasts-{random.expovariate(1 / RECORD_SECONDS):.2f}-{number}" for number in range(records)])
    holder = ""
    for number in range(kills + 1):
        with victim(servers, "in_flight_records=16", "worker_threads=16", "killer_rest_seconds=30") as process:
            holder = _next_holder(servers, holder)
            if number == kills:
                outputs_until(servers, distinct=records, timeout_seconds=600)
                return letters(servers)
            try:
                process.wait(random.uniform(*KILL_SECONDS))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
    raise AssertionError("the last process is not killed")


def letters(servers: str) -> int:
    """Return the number of dead letters."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "letters", "log_level": 0})
    _, end = consumer.get_watermark_offsets(TopicPartition(dead_letter_topic(TOPIC), 0), timeout=10)
    consumer.close()
    return end


def _next_holder(servers: str, holder: str) -> str:
    eventually(lambda: _holder(servers) != holder, timeout_seconds=JOIN_SECONDS, what="a new holder")
    return _holder(servers)


def _holder(servers: str) -> str:
    ((_, metadata),) = committed(servers)
    return CommitMetadata.read(metadata).journal[1:5]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the result; return 1 when a record was given up."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kills", description=__doc__)
    parser.add_argument("--records", type=int, default=700)
    parser.add_argument("--kills", type=int, default=47)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    with MockCluster() as broker:
        given_up = kill_again_and_again(
            broker, records=chosen.records, kills=chosen.kills, random=Random(chosen.seed)
        )
    print(f"{chosen.kills} kills, {chosen.records} records, all came out; {given_up} were given up")
    return 1 if given_up else 0


if __name__ == "__main__":
    sys.exit(main())
