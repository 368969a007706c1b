"""Whether a drop is announced on the topic: what the bucket says, and a real drop where one can be made."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from consumers.kafka.follower import Follower, Start
from kascribe.operations.doctor.findings import Finding, failed, ok, skipped, warning
from kascribe.operations.doctor.s3.rights import BODY, FOLDER
from kascribe.operations.doctor.s3.store import FORBIDDEN, NOT_IMPLEMENTED, Answer, ask, open_client
from schemas.clock import Clock
from schemas.errors import DependencyDown, KascribeError
from schemas.identity import random_id
from schemas.notifications import parse_notification
from schemas.settings import KafkaSettings, S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ARRIVAL_SECONDS: Final = 8.0
"""For a notification to arrive: a target with a queue directory is swept every three seconds."""

POLL_SECONDS: Final = 0.2
CREATED: Final = "s3:ObjectCreated:"
_TARGETS: Final = ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations")
_SET_UP: Final = (
    "announce s3:ObjectCreated:* of the bucket to the topic {} (docs/dropping.md), or run `kascribe reconcile` "
    "on a schedule"
)


@dataclass(frozen=True, slots=True)
class _Announced:
    """What a bucket announces: the names of its targets, and the prefix and suffix of keys, if any."""

    targets: tuple[str, ...]
    filters: tuple[str, ...]


def check_notifications(
    settings: S3Settings, kafka: KafkaSettings, *, bucket: str, topic: str, clock: Clock
) -> Iterator[Finding]:
    """Yield whether a bucket keeps versions, and whether its drops are announced on ``topic``."""
    client = open_client(settings)
    yield _versioning(client, bucket)
    name = f"drops in {bucket}"
    answer = ask(client.get_bucket_notification_configuration, Bucket=bucket)
    announced = _announced(answer.values)
    if answer.is_ok and not announced.targets:
        yield warning(name, "drops in this bucket are announced nowhere", _SET_UP.format(topic))
        return
    said = f"announced to {', '.join(announced.targets)}" if answer.is_ok else f"settings not readable ({answer})"
    if bucket != settings.bucket or announced.filters:
        why = f"only keys with {', '.join(announced.filters)}" if announced.filters else "not the uploads' bucket"
        yield ok(name, f"{said}; no drop was tried: {why}") if answer.is_ok else skipped(name, f"{said}; {why}")
        return
    yield _tried(client, settings, kafka, topic=topic, said=said, clock=clock)


def _versioning(client: "S3Client", bucket: str) -> Finding:
    name = f"versions in {bucket}"
    answer = ask(client.get_bucket_versioning, Bucket=bucket)
    if answer.values.get("Status") == "Enabled":
        return ok(name, "kept, so each version that is dropped is a job")
    if answer.is_ok:
        return ok(name, "not kept: an object that is overwritten early is transcribed in its newest state")
    reason = "may not be asked" if answer.status == FORBIDDEN else "not known to this store"
    return skipped(name, f"{reason} ({answer})" if answer.status != NOT_IMPLEMENTED else reason)


def _announced(values: Mapping[str, Any]) -> _Announced:
    targets: list[str] = []
    filters: list[str] = []
    for kind in _TARGETS:
        for each in values.get(kind, ()):
            if not any(str(event).startswith(CREATED) for event in each.get("Events", ())):
                continue
            targets.append(str(each.get("QueueArn") or each.get("TopicArn") or each.get("LambdaFunctionArn")))
            filters += _filters(each)
    if "EventBridgeConfiguration" in values:
        targets.append("EventBridge")
    return _Announced(tuple(targets), tuple(dict.fromkeys(filters)))


def _filters(configuration: Mapping[str, Any]) -> Sequence[str]:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    return [f"{rule['Name'].lower()} {rule['Value']}" for rule in rules if rule.get("Value")]


def _tried(
    client: "S3Client", settings: S3Settings, kafka: KafkaSettings, *, topic: str, said: str, clock: Clock
) -> Finding:
    """Drop a probe among Kascribe's own uploads, which no transcriber takes for audio, and wait for its record."""
    name = f"drops in {settings.bucket}"
    try:
        follower = Follower(kafka, (topic,), start=Start.NOW, clock=clock)
    except KascribeError as error:
        return skipped(name, f"{said}; no drop was tried, as {topic} cannot be read: {error}")
    with follower:
        key = f"{settings.uploads_prefix}{FOLDER}{random_id()}"
        stored = ask(client.put_object, Bucket=settings.bucket, Key=key, Body=BODY)
        if not stored.is_ok:
            return skipped(name, f"{said}; no drop was tried, as one may not be stored ({stored})")
        try:
            seconds = _arrival_seconds(follower, key, clock)
        finally:
            _remove(client, settings.bucket, key, stored)
    if seconds is None:
        found = f"{said}, and a drop did not arrive on {topic} within {ARRIVAL_SECONDS:g} s"
        remedy = f"correct the target's brokers and topic in the store's settings; {_SET_UP.format(topic)}"
        return failed(name, found, remedy)
    return ok(name, f"{said}; a drop arrived on {topic} after {seconds * 1_000:,.0f} ms")


def _arrival_seconds(follower: Follower, key: str, clock: Clock) -> float | None:
    started_at = clock.monotonic()
    while clock.monotonic() - started_at < ARRIVAL_SECONDS:
        for record in follower.records(POLL_SECONDS):
            with suppress(KascribeError):
                if any(created.key == key for created in parse_notification(record.value).created):
                    return clock.monotonic() - started_at
    return None


def _remove(client: "S3Client", bucket: str, key: str, stored: Answer) -> None:
    with suppress(DependencyDown):
        deleted = ask(client.delete_object, Bucket=bucket, Key=key)
        for each in filter(None, (stored.values.get("VersionId"), deleted.values.get("VersionId"))):
            ask(client.delete_object, Bucket=bucket, Key=key, VersionId=each)
