"""What the broker allows this user, as its own authorizer says for each topic and group."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, TopicCollection
from confluent_kafka.admin._acl import AclOperation

from consumers.kafka.admin import COORDINATOR_REQUEST_SECONDS
from kascribe.operations.doctor.findings import Finding, failed, ok, skipped
from kascribe.operations.doctor.kafka.broker import user_of
from kascribe.operations.doctor.kafka.requests import (
    REQUEST_SECONDS,
    Connection,
    answers,
    is_silence,
    refuse_silence,
)
from kascribe.operations.doctor.needs import topic_needs
from schemas.settings import Settings

SHOWN: Final = 3
"""Names that a row shows; the others are counted."""

COORDINATOR_SECONDS: Final = 5.0
COORDINATOR_ATTEMPTS: Final = 5
"""Of a group's coordinator."""
COORDINATOR_PAUSE_SECONDS: Final = 0.5
"""Before a coordinator that loads or moves is asked again."""

_REFUSALS: Final = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
_MOVING: Final = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
_ABSENT: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001


def some(names: Iterable[str]) -> str:
    """Return a few of the names, and how many others there are."""
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def check_topic_rights(settings: Settings, role: str) -> Iterator[Finding]:
    """Yield one row for a role's topics."""
    connection = Connection(settings.kafka)
    needs = topic_needs(role, settings)
    described = answers(
        connection.admin.describe_topics(
            TopicCollection(sorted(needs.all)), include_authorized_operations=True, request_timeout=REQUEST_SECONDS
        )
    )
    for answer in described.values():
        refuse_silence(answer, "asking for rights")
    yield _topics(settings, role, described)


def check_group(settings: Settings, role: str, group: str) -> Iterator[Finding]:
    """Yield one row for a role's group."""
    yield _group(Connection(settings.kafka), settings, role, group)


def _topics(settings: Settings, role: str, described: Mapping[str, Any]) -> Finding:
    name = f"topics: {role}"
    needs = topic_needs(role, settings)
    absent = {topic for topic, answer in described.items() if _is_error(answer, _ABSENT)}
    hidden = {topic for topic, answer in described.items() if _is_error(answer, _REFUSALS)}
    unread = {topic for topic in needs.read - absent - hidden if not _allows(described[topic], AclOperation.READ)}
    unwritten = {
        topic for topic in needs.written - absent - hidden if not _allows(described[topic], AclOperation.WRITE)
    }
    refused = [
        f"{what} {some(topics)}"
        for what, topics in (("see", hidden), ("read", unread), ("write", unwritten))
        if topics
    ]
    if refused:
        user = user_of(settings.kafka) or "NAME"
        remedy = f"kafka-acls --add --allow-principal User:{user} {_operations(hidden, unread, unwritten)}"
        return failed(name, f"may not {'; may not '.join(refused)}", remedy)
    judged = f"may read {len(needs.read - absent)} and write {len(needs.written - absent)}"
    return ok(name, f"{judged}; {len(absent)} do not exist yet" if absent else judged)


def _operations(hidden: set[str], unread: set[str], unwritten: set[str]) -> str:
    parts = [
        f"--operation {operation} --topic {min(topics)}"
        for operation, topics in (("Describe", hidden), ("Read", unread), ("Write", unwritten))
        if topics
    ]
    return ", ".join(parts) + (" and so on" if any(len(each) > 1 for each in (hidden, unread, unwritten)) else "")


def _group(connection: Connection, settings: Settings, role: str, group: str) -> Finding:
    name = f"group: {role}"
    answer = _described_group(connection, group)
    refuse_silence(answer, f"asking for the group {group}")
    user = user_of(settings.kafka) or "NAME"
    remedy = f"kafka-acls --add --allow-principal User:{user} --operation Read --group {group}"
    if _is_error(answer, _REFUSALS):
        return failed(name, f"may not see the group {group}", remedy)
    if isinstance(answer, KafkaError):
        return skipped(name, f"the broker does not say: {answer.str()}")
    if not _allows(answer, AclOperation.READ):
        return failed(name, f"may not join the group {group}", remedy)
    members = len(answer.members)
    return ok(name, f"may join {group}; {members} member{'s' * (members != 1)} now")


def _described_group(connection: Connection, group: str) -> Any:
    """Ask again where no answer comes: on a new cluster the first request makes the topic of offsets alone.

    A coordinator that loads or moves answers a moment later.
    """
    answer: Any = None
    pause = threading.Event()
    for attempt in range(COORDINATOR_ATTEMPTS):
        if attempt and not is_silence(answer):
            pause.wait(COORDINATOR_PAUSE_SECONDS)
        # Waited for here and not in the client: see COORDINATOR_REQUEST_SECONDS.
        asked = connection.admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=COORDINATOR_REQUEST_SECONDS
        )
        answer = answers(asked, timeout_seconds=COORDINATOR_SECONDS)[group]
        if not is_silence(answer) and not _is_error(answer, _MOVING):
            break
    return answer


def _is_error(answer: object, codes: Iterable[int]) -> bool:
    return isinstance(answer, KafkaError) and answer.code() in codes


def _allows(answer: Any, operation: AclOperation) -> bool:
    """Return whether an operation is among those that the broker lists; one that lists none is not believed."""
    if isinstance(answer, KafkaError):
        return False
    listed = answer.authorized_operations
    return listed is None or operation in listed or AclOperation.ALL in listed
