"""``make chaos``: kill, freeze and move workers and brokers under load, and check what came out.

Three worker processes on three real brokers; every round has topics and a group of its own. A round's faults
follow from its seed. Rounds whose line is in the results file are not run again, so a run may be interrupted.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from confluent_kafka import Producer

from deploy.stack import Stack, Topic
from schemas.kafka.topics import dead_letter_topic, retry_topic
from tests.chaos.delivery.checker import Findings, check
from tests.chaos.delivery.faults import Faults
from tests.chaos.delivery.observer import CommitSampler, Reader
from tests.chaos.delivery.planted import PLANTED
from tests.chaos.delivery.workers import Workers
from tests.flow.stages import OUTPUT, TOPIC

WORKERS: Final = 3
PARTITIONS: Final = 6
RECORDS_PER_FAULT: Final = 40
RECORD_SECONDS: Final = 0.2
"""Mean of the work on a record; exponentially distributed."""
END_SECONDS: Final = 120.0
"""For the rest of the records after the last fault."""
CLASSIC: Final = ("protocol=classic", "session.timeout.ms=6000")


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its seed, how many faults, and the settings of the workers."""

    seed: int
    faults: int
    delivery: str
    protocol: str
    planted: str = ""

    @property
    def name(self) -> str:
        """Its name in the file of results."""
        planted = f"planted {self.planted}, " if self.planted else ""
        return f"{planted}{self.delivery} {self.protocol} seed {self.seed} faults {self.faults}"

    def worker_arguments(self, prefix: str) -> list[str]:
        """Return the arguments of the worker processes."""
        protocol = CLASSIC if self.protocol == "classic" else ("protocol=consumer",)
        # Every process is killed often here: the search for records that kill must not give any up.
        limits = ("in_flight_records=32", "worker_threads=32", "killer_rest_seconds=30", "killer_attempts=9")
        planted = [f"fault={self.planted}"] if self.planted else []
        return [f"prefix={prefix}", f"delivery={self.delivery}", *protocol, *limits, *planted]


@dataclass(frozen=True, slots=True)
class Result:
    """What a round did and found."""

    faults: dict[str, int]
    records: int
    restarts: int
    findings: Findings
    seconds: float


def run(stack: Stack, one: Round, *, brokers: int, log: Path, end_seconds: float = END_SECONDS) -> Result:
    """Run a round. Blocks until every record came out, or until ``end_seconds`` after the last fault."""
    started = time.monotonic()
    prefix = f"c{one.seed}-{one.delivery[:2]}-{one.protocol}{one.planted.replace(' ', '-')}."
    random = Random(one.seed)
    dead = prefix + dead_letter_topic(TOPIC)
    names = (prefix + TOPIC, prefix + OUTPUT, dead, prefix + retry_topic(TOPIC, 1))
    stack.create_topics([Topic(name, PARTITIONS) for name in names])
    servers, group = stack.bootstrap_servers, f"{prefix}commands"
    reader = Reader(servers, prefix + OUTPUT, partitions=PARTITIONS)
    letters = Reader(servers, dead, partitions=PARTITIONS)
    sampler = CommitSampler(servers, group, prefix + TOPIC, partitions=PARTITIONS)
    workers = Workers(servers, one.worker_arguments(prefix), log=log)
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 0})
    faults = Faults(workers, stack, group, brokers, random)
    published: list[str] = []
    kinds: Counter[str] = Counter()
    restarts = 0
    try:
        for slot in range(WORKERS):
            workers.start(slot)
        for number in range(one.faults):
            values = [
                f"lasts-{random.expovariate(1 / RECORD_SECONDS):.2f}-{number}.{each}"
                for each in range(RECORDS_PER_FAULT)
            ]
            _publish(producer, prefix + TOPIC, values)
            published += values
            kinds[faults.one()] += 1
            restarts += workers.revive()
        deadline = time.monotonic() + end_seconds
        while time.monotonic() < deadline and set(published) - set(reader.values) - set(letters.values):
            faults.pause(0.5)
            restarts += workers.revive()
        faults.pause(2.0)  # for a duplicate that comes last
    finally:
        workers.close()
        for observer in (reader, letters, sampler):
            observer.close()
    findings = check(published=published, read=reader.values, dead=letters.values, commits=sampler.samples)
    return Result(dict(kinds), len(published), restarts, findings, time.monotonic() - started)


def _publish(producer: Producer, topic: str, values: Sequence[str]) -> None:
    for number, value in enumerate(values):
        producer.produce(topic, value, f"key-{value}", partition=number % PARTITIONS)
    left = producer.flush(60)
    assert left == 0, f"{left} records could not be published"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each round's findings; return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.delivery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of the faults below, one seed each")
    parser.add_argument("--faults", type=int, default=25, help="in a round")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--delivery", choices=("exactly_once", "at_least_once"), default="exactly_once")
    parser.add_argument(
        "--protocol", choices=("classic", "consumer", "both"), default="both", help="of the group; both take turns"
    )
    parser.add_argument(
        "--planted", choices=PLANTED, metavar="FAULT", help="in the outbox: 'twice', 'drops', 'goes back', …"
    )
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--results", type=Path, help="a file of lines; rounds that it holds are not run again")
    chosen = parser.parse_args(arguments)
    done = _lines(chosen.results) if chosen.results else {}
    is_bad = False
    with TemporaryDirectory(prefix="kascribe-chaos-") as name:
        stack = Stack.up(Path(name) / "stack", brokers=chosen.brokers, topics=())
        try:
            for number in range(chosen.rounds):
                seed = chosen.seed + number
                protocol = ("classic", "consumer")[seed % 2] if chosen.protocol == "both" else chosen.protocol
                one = Round(seed, chosen.faults, chosen.delivery, protocol, chosen.planted or "")
                if one.name not in done:
                    result = run(stack, one, brokers=chosen.brokers, log=Path(name) / "workers.log")
                    line = {
                        "faults": sum(result.faults.values()),
                        "records": result.records,
                        "restarts": result.restarts,
                        "seconds": round(result.seconds),
                        **result.findings.counts(),
                    }
                    done[one.name] = line
                    if chosen.results:
                        with chosen.results.open("a") as file:
                            file.write(json.dumps({"round": one.name, **line}) + "\n")
                    if result.findings.are_bad(may_double=chosen.delivery == "at_least_once"):
                        is_bad = True
                        print(f"{one.name}: {result.findings}")
                print(one.name, done[one.name], flush=True)
        finally:
            stack.down(purge=True)
    totals: Counter[str] = Counter()
    for line in done.values():
        totals.update(line)
    print("all rounds:", dict(totals))
    return 1 if is_bad else 0


def _lines(path: Path) -> dict[str, dict[str, int]]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line.pop("round"): line for line in lines}


if __name__ == "__main__":
    sys.exit(main())
