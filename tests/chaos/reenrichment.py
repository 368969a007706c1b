"""``kascribe enrich --all``, killed and resumed, on real Kafka and MinIO: ``python -m tests.chaos.reenrichment``.

Every transcript must get exactly one enrichment event, while the ordinary enricher works on some of the same
transcripts with the same options. The language model is a double; the command, the enricher and the servers are
real. Fails when an event is missing or comes twice.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from consumers.kafka.follower import Follower, Start
from deploy.stack import Stack
from producers.publisher import Publisher
from producers.results import ResultStore
from producers.topics import ensure_topics
from schemas.events import EnrichmentEvent
from schemas.identity import job_id
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from schemas.options import EnrichOptions
from schemas.settings import KafkaSettings, S3Settings
from tests.contract.enricher.enrich_jobs import transcript_of, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.demo.role import RoleProcess
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

PROFILE: Final = "title"
ORDINARY: Final = 10
"""Every so many transcripts request the same enrichment themselves: the enricher and the run meet over them."""

PARTITIONS: Final = 3
IN_FLIGHT: Final = 16
ANSWER_SECONDS: Final = 0.2
"""Of the double, so that a kill hits requests in flight."""

END_SECONDS: Final = 600.0
QUIET_SECONDS: Final = 2.0
"""Without a further event after the end, before the events are counted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. ``read_by_the_last``: records that the last command, which was not killed, has read."""

    transcripts: int
    kills: int
    events: int
    missing: int
    more_than_once: int
    model_requests: int
    most_requests_at_once: int
    read_by_the_last: int
    seconds: float

    @property
    def is_exact(self) -> bool:
        """Whether each transcript has one event."""
        return self.missing == self.more_than_once == 0 and self.events == self.transcripts


class Bench:
    """A system with an enricher, and transcripts on its topic."""

    def __init__(self, stack: PrivateStack, double: VllmDouble, directory: Path) -> None:
        self.directory = directory
        self.double = double
        self.topics = Topics(stack.new_prefix())
        self.kafka = KafkaSettings(bootstrap_servers=stack.bootstrap_servers, topic_prefix=self.topics.prefix)
        bucket = stack.new_bucket()
        self.environment: Mapping[str, str] = {
            **os.environ,
            **stack.environment,
            "KASCRIBE_KAFKA_TOPIC_PREFIX": self.topics.prefix,
            "KASCRIBE_KAFKA_GROUP_ID_PREFIX": self.topics.prefix,
            "KASCRIBE_KAFKA_TOPIC_PARTITIONS": str(PARTITIONS),
            "KASCRIBE_S3_BUCKET": bucket,
            "KASCRIBE_VLLM_BASE_URL": double.base_url,
            "KASCRIBE_LOG_FORMAT": "json",
        }
        self._results = ResultStore(S3Settings(bucket=bucket), client=stack.s3)
        ensure_topics(self.kafka, dict.fromkeys(self.topics.all, PARTITIONS))
        self.events = Follower(self.kafka, (self.topics.enrichments,), start=Start.BEGINNING)
        self.seen: Counter[str] = Counter()

    def publish(self, count: int) -> list[str]:
        """Publish transcripts, and return their jobs."""
        keys = [f"call {number}" for number in range(count)]
        with Publisher(self.kafka) as publisher:
            publisher.publish(self._record(number, key) for number, key in enumerate(keys))
        return [job_id(key) for key in keys]

    def _record(self, number: int, key: str) -> OutgoingRecord:
        uri = self._results.put_transcript(key, transcript_of(spoken(8, seed=number)))
        options = EnrichOptions(profiles=(PROFILE,)) if number % ORDINARY == 0 else None
        record = transcript_record(uri, key=key, reference_event_id=f"of {key}", enrich=options)
        return OutgoingRecord(self.topics.transcripts, job_id(key).encode(), record.value)

    def enriched(self) -> int:
        """Return how many events there are by now."""
        for record in self.events.records(0.05):
            self.seen[decode(record, EnrichmentEvent).job_id] += 1
        return self.seen.total()

    @contextmanager
    def command(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the command; it is killed at the end of the context if it still runs."""
        arguments = ["enrich", "--all", "--profile", PROFILE, "--in-flight", str(IN_FLIGHT), "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "kascribe", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def enrich_with_kills(stack: PrivateStack, directory: Path, *, transcripts: int, kills: int) -> Outcome:
    """Enrich the transcripts with a command that is killed so many times on the way; count the events."""
    with ExitStack() as resources:
        double = resources.enter_context(running(VllmDouble(context_tokens=4_096, answer_seconds=ANSWER_SECONDS)))
        bench = Bench(stack, double, directory)
        resources.callback(bench.events.close)
        jobs = bench.publish(transcripts)
        enricher = RoleProcess("enricher", bench.environment, log=directory / "enricher.log")
        resources.enter_context(enricher).wait_until_ready()
        started = time.monotonic()
        for number in range(kills):
            with bench.command() as process:
                _wait_for_events(bench, transcripts * (number + 1) // (kills + 1), process)
        with bench.command() as process:
            output, _ = process.communicate(timeout=END_SECONDS)
        if process.returncode != 0:
            raise AssertionError(f"the last command ended with {process.returncode}: {output.decode()[-2_000:]}")
        seconds = time.monotonic() - started
        _wait_until_quiet(bench)
    return _outcome(bench, jobs, json.loads(output), kills=kills, seconds=seconds)


def _wait_for_events(bench: Bench, count: int, process: subprocess.Popen[bytes]) -> None:
    def is_time() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"the command ended with {process.returncode} before it was killed")
        return bench.enriched() >= count

    eventually(is_time, timeout_seconds=END_SECONDS, interval_seconds=0, what=f"{count} events")


def _wait_until_quiet(bench: Bench) -> None:
    count, since = bench.enriched(), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        if bench.enriched() > count:
            count, since = bench.seen.total(), time.monotonic()


def _outcome(bench: Bench, jobs: list[str], summary: Mapping[str, Any], *, kills: int, seconds: float) -> Outcome:
    return Outcome(
        transcripts=len(jobs),
        kills=kills,
        events=bench.seen.total(),
        missing=sum(job not in bench.seen for job in jobs),
        more_than_once=sum(count > 1 for count in bench.seen.values()),
        model_requests=len(bench.double.completion_requests),
        most_requests_at_once=bench.double.most_in_flight,
        read_by_the_last=summary["read"],
        seconds=round(seconds, 1),
    )


def main() -> int:
    """Print the outcome as JSON; return 1 when a transcript has no event, or more than one."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.reenrichment", description=__doc__)
    parser.add_argument("--transcripts", type=int, default=500, help="(default: 500)")
    parser.add_argument("--kills", type=int, default=2, help="SIGKILL so many times (default: 2)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        servers = Stack.up(Path(directory) / "stack", topics=())
        s3 = servers.s3()
        try:
            stack = PrivateStack(servers, s3)
            outcome = enrich_with_kills(stack, Path(directory), transcripts=chosen.transcripts, kills=chosen.kills)
        finally:
            s3.close()
            servers.down(purge=True)
    print(json.dumps(asdict(outcome), indent=2))
    return 0 if outcome.is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
