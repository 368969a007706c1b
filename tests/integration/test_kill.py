"""kill -9 in the middle of real work, on real Kafka and MinIO: the production transcriber with the real model, and
``kascribe enrich --all``, of which this is a slice of ``make chaos-reenrich``."""

import itertools
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from models.selftest import clips
from schemas.events import AudioReference, Phase, ProgressEvent, TranscriptEvent
from schemas.identity import job_id
from schemas.kafka.records import Record
from schemas.kafka.wire import decode
from tests.chaos.reenrichment import IN_FLIGHT, enrich_with_kills
from tests.flow.running import committed
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.sound.recordings import FORMATS, read, write
from tests.support.waiting import eventually

RECORDS: Final = 200
PARTITIONS: Final = 3
COMPLETE_AT_DEATH: Final = 50
BEYOND_AT_DEATH: Final = 10
IN_FLIGHT_AT_DEATH: Final = 10
LONG_RECORDING_CLIPS: Final = 20
TRANSCRIPTS: Final = 90
"""Of the run that is killed twice."""

TIMEOUT_SECONDS: Final = 120.0
SETTINGS: Final = {
    # A static member that comes back is admitted at once; the broker misses a killed dynamic one for 6 s at least.
    "KASCRIBE_KAFKA_GROUP_PROTOCOL": "classic",
    "KASCRIBE_KAFKA_GROUP_INSTANCE_ID": "one",
    "KASCRIBE_KAFKA_SESSION_TIMEOUT_MS": "6000",
    "KASCRIBE_RUNTIME_COMMIT_INTERVAL_SECONDS": "0.1",
}

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group's commits list: the places that are complete, and how many of them the gap maps name."""

    complete: frozenset[Place]
    beyond: int


class Bench(Pipeline):
    """The transcriber at work on jobs whose records are known by place."""

    def submit(self, uris: Sequence[str]) -> dict[Place, str]:
        """Publish one reference each; return the job of every place."""
        for uri in uris:
            key = uuid.uuid4().hex
            reference = AudioReference(event_id=key, occurred_at=datetime.now(UTC), uri=uri, idempotency_key=key)
            self.publish(reference.model_dump_json().encode(), key=key.encode())
        submitted = self.on(self.topics.references)
        return {
            (r.partition, r.offset): job_id(decode(r, AudioReference).idempotency_key or "") for r in submitted
        }

    def committed(self) -> Committed:
        """Read what the group has committed now."""
        servers, topic = self.kafka.bootstrap_servers, self.topics.references
        found = committed(servers, topic=topic, partitions=PARTITIONS, group=f"{self.prefix}transcriber")
        below, beyond = set(), set()
        for partition, (offset, metadata) in enumerate(found):
            below |= {(partition, each) for each in range(max(0, offset))}
            ranges = gap_map.decode(offset, CommitMetadata.read(metadata).gap_map) if offset >= 0 else ()
            beyond |= {(partition, each) for first, end in ranges for each in range(first, end)}
        return Committed(frozenset(below | beyond), len(beyond))

    def on(self, topic: str) -> list[Record]:
        """Read all that is committed on a topic, to its end as it is now."""
        properties: dict[str, str | bool] = {"isolation.level": "read_committed", "enable.partition.eof": True}
        consumer = self.stack.consumer(**properties)
        records: list[Record] = []
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
            ends = 0
            while ends < len(partitions):
                message = consumer.poll(TIMEOUT_SECONDS)
                assert message is not None, f"{topic} did not end"
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    ends += 1
                    continue
                place = (message.topic(), message.partition(), message.offset())
                headers = tuple(message.headers() or ())
                records.append(Record(*place, message.key(), message.value(), headers))  # type: ignore[arg-type]
        finally:
            consumer.close()
        return records

    def published(self) -> list[TranscriptEvent]:
        """Read every transcript."""
        return [decode(record, TranscriptEvent) for record in self.on(self.topics.transcripts)]

    def reported(self, phase: Phase) -> Counter[str]:
        """Count how often each job was reported to be in a phase."""
        events = (decode(record, ProgressEvent) for record in self.on(self.topics.progress))
        return Counter(event.job_id for event in events if event.phase is phase)


def recordings(directory: Path) -> list[tuple[str, bytes]]:
    """Make one recording that outlasts many of the short ones behind it, and those; each with its sound's name.

    A tag at the end, which is no sound, makes their bytes differ: no job reuses another's transcript.
    """
    shipped = clips()
    sounds = [read(clip.path) for clip in itertools.islice(itertools.cycle(shipped), LONG_RECORDING_CLIPS)]
    long = write(directory / "long.flac", np.concatenate(sounds), FORMATS["flac"])
    short = itertools.islice(itertools.cycle(shipped), RECORDS - 1)
    tags = (b"TAG" + f"recording {number}".encode().ljust(125, b"\0") for number in itertools.count())
    return [(path.name, path.read_bytes() + next(tags)) for path in (long, *(clip.path for clip in short))]


def test_a_killed_transcriber_loses_nothing_and_repeats_nothing_that_was_committed(
    stack: PrivateStack, tmp_path: Path
) -> None:
    """Every job has its transcript, with the same words; again comes only what no commit had called complete."""
    made = recordings(tmp_path)
    with Bench(stack, tmp_path, SETTINGS, partitions=PARTITIONS) as bench:
        sounds = {bench.put(body): name for name, body in made}
        jobs = bench.submit(list(sounds))
        assert len(set(jobs.values())) == RECORDS
        eventually(lambda: is_ripe(bench.committed()), timeout_seconds=TIMEOUT_SECONDS, what="work to interrupt")
        bench.role.kill()
        at_death, before = bench.committed(), {event.job_id for event in bench.published()}
        in_flight = set(bench.reported(Phase.ACCEPTED)) - before
        bench.role.start().wait_until_ready()
        eventually(lambda: len(bench.committed().complete) == RECORDS, timeout_seconds=TIMEOUT_SECONDS)
        assert bench.role.stop() == 0
        events, ended = bench.published(), bench.reported(Phase.COMPLETED)
        assert not bench.failures()
    complete = {jobs[place] for place in at_death.complete}
    uncommitted = before - complete
    again = {job for job, count in Counter(event.job_id for event in events).items() if count > 1}
    print(
        f"killed with {len(complete)} complete, {at_death.beyond} of them in gap maps, {len(in_flight)} in flight "
        f"and {len(uncommitted)} published but not committed, of which {len(again)} were published again"
    )
    assert at_death.beyond >= BEYOND_AT_DEATH
    assert len(in_flight) >= IN_FLIGHT_AT_DEATH
    assert complete <= before
    assert {event.job_id for event in events} == set(ended) == set(jobs.values())
    assert again <= uncommitted
    assert {job for job, count in ended.items() if count > 1} <= uncommitted
    assert len(events) == RECORDS + len(again)
    assert len({(sounds[event.source.uri], event.text) for event in events}) == len(set(sounds.values()))


def is_ripe(found: Committed) -> bool:
    """Return whether enough is complete, out of order, while the rest is in flight or still to come."""
    return len(found.complete) >= COMPLETE_AT_DEATH and found.beyond >= BEYOND_AT_DEATH


def test_a_run_over_all_transcripts_that_is_killed_twice_makes_one_event_of_each(
    stack: PrivateStack, tmp_path: Path
) -> None:
    """None is missing, none comes twice, and the last command does not begin from the start."""
    outcome = enrich_with_kills(stack, tmp_path, transcripts=TRANSCRIPTS, kills=2)
    print(outcome)
    assert outcome.is_exact
    assert outcome.most_requests_at_once <= IN_FLIGHT + TRANSCRIPTS // 10
    assert outcome.read_by_the_last < TRANSCRIPTS
