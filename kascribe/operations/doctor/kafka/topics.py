"""The topics: whether they exist, and whether their properties keep what Kascribe promises."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, TopicCollection
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from kascribe.operations.doctor.findings import Finding, failed, ok, skipped, warning
from kascribe.operations.doctor.kafka.requests import REQUEST_SECONDS, Connection, answers, refuse_silence
from kascribe.operations.doctor.kafka.rights import some
from kascribe.operations.doctor.needs import topic_needs
from producers.kafka import RECORD_LIMIT_BYTES
from schemas.kafka.topics import DEAD_LETTER_SUFFIX, origin_topic, retry_delay_seconds
from schemas.settings import KafkaSettings, Settings

DAY_SECONDS: Final = 24 * 3_600

RECORD_BYTES: Final = 1_000_000
"""Events stay below this size, since their bodies are in the bucket: the broker's own default is larger."""

_ABSENT: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker describes it. ``properties`` are empty where they may not be read."""

    name: str
    partitions: int
    replicas: int
    fewest_in_sync: int
    leaderless: int
    properties: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """Return a property that is a number."""
        value = self.properties.get(name)
        return int(value) if value is not None else None


def check_topics(settings: Settings, roles: Sequence[str]) -> Iterator[Finding]:
    """Yield whether all topics of the roles exist, and a row for each kind of property."""
    names = sorted({topic for role in roles for topic in topic_needs(role, settings).all})
    connection = Connection(settings.kafka)
    described = answers(connection.admin.describe_topics(TopicCollection(names), request_timeout=REQUEST_SECONDS))
    for answer in described.values():
        refuse_silence(answer, "asking for topics")
    absent = [name for name in names if _is_absent(described[name])]
    seen = {name: each for name, each in described.items() if not isinstance(each, KafkaError)}
    yield _existence(connection, settings.kafka, names, absent, hidden=len(names) - len(absent) - len(seen))
    if not seen:
        return
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in seen]
    asked = answers(connection.admin.describe_configs(resources, request_timeout=REQUEST_SECONDS))
    properties = {resource.name: each for resource, each in asked.items() if not isinstance(each, KafkaError)}
    states = [_state(each, properties.get(name, {})) for name, each in seen.items()]
    yield from judged(states, settings)


def judged(states: Sequence[TopicState], settings: Settings) -> Iterator[Finding]:
    """Yield what the properties of topics mean. Pure."""
    yield _leaders(states)
    yield _partitions(states, settings.kafka)
    known = [state for state in states if state.properties]
    if not known:
        yield skipped("topic properties", "this user may not read them (DescribeConfigs)")
        return
    yield _replication(known)
    yield _sizes(known)
    yield _retention(known)
    yield _compaction(known)


def _is_absent(answer: object) -> bool:
    return isinstance(answer, KafkaError) and answer.code() in _ABSENT


def _state(described: Any, entries: Mapping[str, Any]) -> TopicState:
    partitions = described.partitions
    return TopicState(
        name=described.name,
        partitions=len(partitions),
        replicas=min((len(each.replicas) for each in partitions), default=0),
        fewest_in_sync=min((len(each.isr) for each in partitions), default=0),
        leaderless=sum(each.leader is None or each.leader.id < 0 for each in partitions),
        properties={name: entry.value for name, entry in entries.items() if entry.value is not None},
    )


def _existence(
    connection: Connection, settings: KafkaSettings, names: Sequence[str], absent: Sequence[str], *, hidden: int
) -> Finding:
    unseen = f"; {hidden} may not be seen" if hidden else ""
    if not absent:
        return ok("topics", f"{len(names) - hidden} of {len(names)} exist{unseen}")
    found = f"{len(absent)} of {len(names)} are missing: {some(absent)}{unseen}"
    if not settings.create_topics:
        remedy = "create them, or set KASCRIBE_KAFKA_CREATE_TOPICS=true and let the roles do it"
        return failed("topics", found, remedy)
    new = NewTopic(
        absent[0], num_partitions=settings.topic_partitions, replication_factor=settings.topic_replication
    )
    asked = answers(connection.admin.create_topics([new], validate_only=True, request_timeout=REQUEST_SECONDS))
    refusal = asked[absent[0]]
    if isinstance(refusal, KafkaError):
        remedy = (
            "allow this user to create topics, create them yourself, or correct KASCRIBE_KAFKA_TOPIC_REPLICATION"
        )
        return failed("topics", f"{found}; the broker would not create them: {refusal.str()}", remedy)
    return ok("topics", f"{found}; the roles will create them, and may")


def _leaders(states: Sequence[TopicState]) -> Finding:
    without = [state.name for state in states if state.leaderless]
    if without:
        return failed(
            "leaders", f"partitions without a leader: {some(without)}", "start the brokers that hold them"
        )
    return ok("leaders", f"all {sum(state.partitions for state in states)} partitions have one")


def _partitions(states: Sequence[TopicState], settings: KafkaSettings) -> Finding:
    # The inputs of a group are shared out by partitions; letters and answers are read whole.
    counts = sorted({state.partitions for state in states if not state.name.endswith(DEAD_LETTER_SUFFIX)})
    shown = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0] if counts else 0}"
    alone = [state.name for state in states if state.partitions == 1 and state.name == origin_topic(state.name)]
    if alone and settings.topic_partitions > 1:
        remedy = (
            "kafka-topics --alter --partitions N: no more processes of a role work than its topic has partitions"
        )
        return warning("partitions", f"{shown}; only one: {some(alone)}", remedy)
    return ok("partitions", f"{shown} in each topic")


def _replication(states: Sequence[TopicState]) -> Finding:
    name = "replication"
    in_sync = {state.name: state.number("min.insync.replicas") or 1 for state in states}
    impossible = [state.name for state in states if in_sync[state.name] > state.replicas]
    if impossible:
        remedy = "lower min.insync.replicas of the topics to their replicas less one, or add replicas"
        return failed(name, f"min.insync.replicas is above the replicas of {some(impossible)}", remedy)
    short = [state.name for state in states if state.fewest_in_sync < in_sync[state.name]]
    if short:
        return failed(
            name, f"too few replicas are in sync to write to {some(short)}", "start the brokers that are away"
        )
    lone = [state.name for state in states if state.replicas == 1]
    if lone:
        remedy = "with three brokers, use three replicas and min.insync.replicas=2: one disk holds each record now"
        return warning(name, f"one replica: {some(lone)}", remedy)
    tight = [state.name for state in states if in_sync[state.name] == state.replicas]
    if tight:
        remedy = "set min.insync.replicas to the replicas less one: one broker that restarts stops all writing now"
        return warning(name, f"min.insync.replicas equals the replicas: {some(tight)}", remedy)
    loose = [state.name for state in states if in_sync[state.name] == 1]
    if loose:
        remedy = "set min.insync.replicas=2: a confirmed record may be lost with one broker now"
        return warning(name, f"min.insync.replicas is 1: {some(loose)}", remedy)
    replicas, least = min(state.replicas for state in states), min(in_sync.values())
    return ok(name, f"{replicas} replicas and more, min.insync.replicas {least} and more")


def _sizes(states: Sequence[TopicState]) -> Finding:
    name = "record size"
    sizes = {state.name: state.number("max.message.bytes") or 0 for state in states}
    small = [topic for topic, size in sizes.items() if size < RECORD_BYTES]
    if small:
        remedy = f"set max.message.bytes to {RECORD_BYTES:,} at least"
        return failed(name, f"less than {RECORD_BYTES:,} bytes: {some(small)}", remedy)
    tight = [topic for topic, size in sizes.items() if topic != origin_topic(topic) and size < RECORD_LIMIT_BYTES]
    if tight:
        remedy = f"set max.message.bytes={RECORD_LIMIT_BYTES} there: records on them have more headers than before"
        return warning(name, f"retry and letter topics below {RECORD_LIMIT_BYTES:,} bytes: {some(tight)}", remedy)
    return ok(name, f"{min(sizes.values()):,} bytes and more")


def _retention(states: Sequence[TopicState]) -> Finding:
    name = "retention"
    # -1 keeps records for ever.
    seconds = {
        state.name: kept / 1_000
        for state in states
        if (kept := state.number("retention.ms")) is not None and kept >= 0
    }
    early = [topic for topic, kept in seconds.items() if kept <= (retry_delay_seconds(topic) or 0)]
    if early:
        remedy = "raise retention.ms above the delay in each name: records are deleted before they are due"
        return failed(name, f"shorter than the delay: {some(early)}", remedy)
    short = [topic for topic, kept in seconds.items() if kept < DAY_SECONDS]
    if short:
        remedy = "raise retention.ms to a day at least: a record that waits longer than that is lost"
        return warning(name, f"less than a day: {some(short)}", remedy)
    brief = [
        topic for topic, kept in seconds.items() if topic.endswith(DEAD_LETTER_SUFFIX) and kept < 7 * DAY_SECONDS
    ]
    if brief:
        remedy = "raise retention.ms of dead letters to a week at least, so that someone can look at them"
        return warning(name, f"less than a week: {some(brief)}", remedy)
    if not seconds:
        return ok(name, "unlimited")
    return ok(name, f"{min(seconds.values()) / DAY_SECONDS:g} days and more")


def _compaction(states: Sequence[TopicState]) -> Finding:
    compacted = [state.name for state in states if "compact" in state.properties.get("cleanup.policy", "")]
    if compacted:
        remedy = "set cleanup.policy=delete: compaction drops all but the last event of a job"
        return failed("cleanup", f"compacted: {some(compacted)}", remedy)
    return ok("cleanup", "delete")
