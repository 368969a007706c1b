"""What each role needs of Kafka and of the bucket. Pure: roles and settings in, names and rights out."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.kafka.topics import Topics, dead_letter_topic, retry_topic
from schemas.roles import Role
from schemas.settings import S3Settings, Settings

RECONCILER: Final = "reconciler"
"""Not a role of ``kascribe run``: it is ``kascribe reconcile``."""

ROLES: Final = (*(role.value for role in Role), RECONCILER)

_ANY_ARCHIVE: Final = "0."
"""An archive's group has a random id of its database in its name: any name with the prefix stands for it."""


@dataclass(frozen=True, slots=True)
class TopicNeeds:
    """The topics of one role. ``shared`` are read in the consumer group, ``followed`` without one."""

    shared: frozenset[str] = frozenset()
    followed: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    group: str | None = None

    @property
    def read(self) -> frozenset[str]:
        """All topics that are read."""
        return self.shared | self.followed

    @property
    def all(self) -> frozenset[str]:
        """All topics that are read or written."""
        return self.read | self.written


def topic_needs(role: str, settings: Settings) -> TopicNeeds:
    """Return the topics that a role reads and writes, with its group."""
    topics = Topics(settings.kafka.topic_prefix)
    delays = settings.runtime.retry_delays_seconds
    group = f"{settings.kafka.group_id_prefix}{role}"
    answers = frozenset(topics.answers)
    if role == Role.TRANSCRIBER:
        inputs = frozenset((topics.references, topics.objects))
        outputs = frozenset((topics.transcripts, topics.progress, topics.objects))
        return _stage(inputs, outputs, delays, group, followed=frozenset((topics.cancellations,)))
    if role == Role.ENRICHER:
        inputs = frozenset((topics.transcripts, topics.enrich_requests))
        outputs = frozenset((topics.enrichments, topics.progress))
        return _stage(inputs, outputs, delays, group, followed=frozenset((topics.cancellations,)))
    if role == Role.NOTIFIER:
        line = frozenset((topics.webhooks,))
        needs = _stage(line, line, settings.webhooks.retry_delays_seconds, group, followed=frozenset())
        return TopicNeeds(needs.shared | answers, needs.followed, needs.written, group)
    if role == Role.GATEWAY:
        followed = answers | {topics.cancellations, topics.deletions}
        requests = (topics.references, topics.cancellations, topics.deletions, topics.enrich_requests)
        return TopicNeeds(followed=followed, written=frozenset(requests))
    if role == Role.ARCHIVE:
        told = answers | {topics.references, topics.objects, topics.deletions}
        return TopicNeeds(told, group=f"{settings.kafka.group_id_prefix}{_ANY_ARCHIVE}{role}")
    return TopicNeeds(
        followed=frozenset((topics.cancellations,)), written=frozenset((topics.references, topics.objects))
    )


def _stage(
    inputs: frozenset[str],
    outputs: frozenset[str],
    delays: Iterable[int],
    group: str,
    *,
    followed: frozenset[str],
) -> TopicNeeds:
    retries = frozenset(retry_topic(topic, delay) for topic in inputs for delay in delays)
    letters = frozenset(dead_letter_topic(topic) for topic in inputs | outputs)
    return TopicNeeds(inputs | retries, followed, outputs | retries | letters, group)


class Right(StrEnum):
    """A right on a bucket, by the name of the request that needs it."""

    LIST = "list"
    GET = "get"
    HEAD = "head"
    PUT = "put"
    DELETE = "delete"
    MULTIPART = "multipart"


ALL_RIGHTS: Final = tuple(Right)
_READING: Final = (Right.LIST, Right.HEAD, Right.GET)
_RESULTS: Final = (Right.PUT, Right.HEAD, Right.GET, Right.LIST, Right.DELETE)


@dataclass(frozen=True, slots=True)
class BucketNeeds:
    """The rights that are needed on one bucket: below ``prefix`` to write, on any object to read."""

    what: str
    bucket: str
    prefix: str | None
    rights: tuple[Right, ...]

    @property
    def name(self) -> str:
        """What is kept, and in which bucket."""
        return f"{self.what} in {self.bucket}"


def bucket_needs(roles: Iterable[str], settings: S3Settings) -> tuple[BucketNeeds, ...]:
    """Return what the roles need of each bucket, one entry for results, uploads and each source."""
    chosen = frozenset(roles)
    results = settings.results_bucket or settings.bucket
    needs = []
    if chosen & {Role.TRANSCRIBER, Role.ENRICHER, Role.GATEWAY, RECONCILER}:
        needs.append(BucketNeeds("results", results, settings.results_prefix, _RESULTS))
    elif Role.ARCHIVE in chosen:
        needs.append(BucketNeeds("results", results, None, _READING))
    if Role.GATEWAY in chosen:
        rights = (Right.PUT, Right.MULTIPART, Right.HEAD, Right.GET, Right.DELETE)
        needs.append(BucketNeeds("uploads", settings.bucket, settings.uploads_prefix, rights))
    if chosen & {Role.TRANSCRIBER, RECONCILER}:
        needs += [BucketNeeds("audio", bucket, None, _READING) for bucket in source_buckets(settings)]
    return tuple(needs)


def source_buckets(settings: S3Settings) -> tuple[str, ...]:
    """Return the buckets from which references may name objects."""
    return settings.allowed_buckets or (settings.bucket,)
