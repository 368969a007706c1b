"""The checks of the chosen roles, with what each waits for and how long it may take."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from kascribe.operations.doctor.findings import Check, Finding
from kascribe.operations.doctor.needs import RECONCILER, bucket_needs, source_buckets, topic_needs
from kascribe.operations.doctor.roles import unconfigured
from kascribe.operations.doctor.timeouts import check_timeouts
from schemas.clock import Clock
from schemas.kafka.topics import Topics
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.catalogue import without_credentials

BROKER: Final = "kafka"
STORE: Final = "s3"

STORE_SECONDS: Final = 20.0
"""Three tries of three seconds, with pauses between."""

RIGHTS_SECONDS: Final = 45.0
"""A dozen requests, one after another."""

NOTIFICATION_SECONDS: Final = 40.0
LANGUAGE_MODEL_SECONDS: Final = 45.0
SANDBOX_SECONDS: Final = 60.0
"""A decoder imports its libraries, on a busy machine."""

HASH_SECONDS: Final = 120.0
"""Every byte of the model is read: 3 GB from a slow disk."""

_UNANSWERED: Final = "the server accepts connections and does not answer: restart it, or look at its load and log"
_NOT_RUN: Final = (Role.ENRICHER.value, Role.ARCHIVE.value, Role.NOTIFIER.value)


def planned(
    settings: Settings, roles: Sequence[str], *, named: bool, grace_seconds: float | None, clock: Clock
) -> list[Check]:
    """Return the checks of the roles. ``named``: the user chose them, so the others are not mentioned."""
    checks = [*_kafka(settings, roles), *_s3(settings, roles, clock), *_machine(settings, roles, clock)]
    checks += _others(settings, roles, clock)
    timeouts = partial(check_timeouts, settings, roles, grace_seconds=grace_seconds)
    checks.append(Check("time limits", "settings", timeouts, "report this"))
    if not named:
        checks += [
            Check(role, "roles", partial(_skip, role), "report this") for role in _NOT_RUN if role not in roles
        ]
    return checks


def _skip(role: str) -> Iterator[Finding]:
    yield unconfigured(role)


def _kafka(settings: Settings, roles: Sequence[str]) -> Iterator[Check]:
    from kascribe.operations.doctor.kafka.broker import check_broker, check_each_broker
    from kascribe.operations.doctor.kafka.rights import check_group, check_topic_rights
    from kascribe.operations.doctor.kafka.topics import check_topics
    from kascribe.operations.doctor.kafka.transactions import check_transactions

    after = (BROKER,)
    yield Check(BROKER, "Kafka", partial(check_broker, settings.kafka), _UNANSWERED, limit_seconds=20.0)
    each = partial(check_each_broker, settings.kafka)
    yield Check("brokers", "Kafka", each, _UNANSWERED, after, limit_seconds=30.0)
    yield Check("topics", "Kafka", partial(check_topics, settings, roles), _UNANSWERED, after, limit_seconds=30.0)
    for role in roles:
        check = partial(check_topic_rights, settings, role)
        yield Check(f"topics: {role}", "Kafka", check, _UNANSWERED, after, limit_seconds=30.0)
        if (group := topic_needs(role, settings).group) is not None:
            check = partial(check_group, settings, role, group)
            yield Check(f"group: {role}", "Kafka", check, _UNANSWERED, after, limit_seconds=30.0)
            if settings.runtime.delivery == "exactly_once":
                check = partial(check_transactions, settings.kafka, role, group)
                yield Check(f"transactions: {role}", "Kafka", check, _UNANSWERED, after, limit_seconds=30.0)


def _s3(settings: Settings, roles: Sequence[str], clock: Clock) -> Iterator[Check]:
    from kascribe.operations.doctor.s3.notifications import check_notifications
    from kascribe.operations.doctor.s3.rights import check_rights
    from kascribe.operations.doctor.s3.store import check_store

    needs = bucket_needs(roles, settings.s3)
    if not needs:
        return
    yield Check(
        STORE, "S3", partial(check_store, settings.s3, clock=clock), _UNANSWERED, limit_seconds=STORE_SECONDS
    )
    for each in needs:
        check = partial(check_rights, settings.s3, each, setting=_bucket_setting(settings, each.bucket))
        yield Check(each.name, "S3", check, _UNANSWERED, (STORE,), RIGHTS_SECONDS)
    if Role.TRANSCRIBER not in roles and RECONCILER not in roles:
        return
    topic = Topics(settings.kafka.topic_prefix).objects
    for bucket in source_buckets(settings.s3):
        drops = partial(check_notifications, settings.s3, settings.kafka, bucket=bucket, topic=topic, clock=clock)
        yield Check(f"drops in {bucket}", "S3", drops, _UNANSWERED, (STORE,), NOTIFICATION_SECONDS)


def _bucket_setting(settings: Settings, bucket: str) -> str:
    if bucket == settings.s3.results_bucket:
        return "KASCRIBE_S3_RESULTS_BUCKET"
    return "KASCRIBE_S3_BUCKET" if bucket == settings.s3.bucket else "KASCRIBE_S3_ALLOWED_BUCKETS"


def _machine(settings: Settings, roles: Sequence[str], clock: Clock) -> Iterator[Check]:
    yield Check("limits", "machine", partial(_limits, settings, roles), "report this")
    yield Check("ports", "machine", partial(_ports, settings, roles), "report this")
    if {Role.TRANSCRIBER, Role.GATEWAY} & set(roles):
        scratch = partial(_scratch, settings, uploads=Role.GATEWAY in roles)
        yield Check("scratch", "machine", scratch, "the disk of TMPDIR hangs: see the kernel's log")
    if Role.TRANSCRIBER in roles:
        model = partial(_model, settings)
        yield Check("model", "model", model, "the disk of the models hangs, or is slow", (), HASH_SECONDS)
        driver = "the driver hangs: nvidia-smi, then the kernel's log"
        yield Check("device", "model", partial(_device, settings), driver, (), 30.0)
        sandbox = partial(_sandbox, settings, clock)
        yield Check("decoder sandbox", "machine", sandbox, "see the kernel's log", (), SANDBOX_SECONDS)


# Imported when a check runs: a role's libraries may be absent, which is a finding of that check alone.
def _limits(settings: Settings, roles: Sequence[str]) -> Iterator[Finding]:
    from kascribe.operations.doctor.machine.limits import check_limits

    device, weights = "cpu", None
    if Role.TRANSCRIBER in roles:
        from kascribe.operations.doctor.machine.model import weights_bytes
        from models.whisper.inference.device import device_of

        weights = weights_bytes(settings.whisper, os.environ)
        device = device_of(settings.whisper.model_copy(update={"device": "auto"}))
    yield from check_limits(settings, roles, device=device, weights_bytes=weights)


def _ports(settings: Settings, roles: Sequence[str]) -> Iterator[Finding]:
    from kascribe.operations.doctor.machine.limits import check_ports

    yield from check_ports(settings, roles)


def _scratch(settings: Settings, *, uploads: bool) -> Iterator[Finding]:
    from kascribe.operations.doctor.machine.disk import check_scratch

    yield from check_scratch(settings, uploads=uploads)


def _model(settings: Settings) -> Iterator[Finding]:
    from kascribe.operations.doctor.machine.model import check_model

    yield from check_model(settings.whisper, os.environ)


def _sandbox(settings: Settings, clock: Clock) -> Iterator[Finding]:
    from kascribe.operations.doctor.machine.sandbox import check_sandbox

    yield from check_sandbox(settings.whisper, clock=clock)


def _device(settings: Settings) -> Iterator[Finding]:
    from kascribe.operations.doctor.machine.model import check_device

    yield from check_device(settings.whisper, os.environ)


def _others(settings: Settings, roles: Sequence[str], clock: Clock) -> Iterator[Check]:
    if Role.ENRICHER in roles:
        for base_url in (settings.vllm.base_url or "").split(","):
            check = partial(_language_model, settings, base_url, clock)
            yield Check(
                f"language model {without_credentials(base_url)}",
                "vLLM",
                check,
                _UNANSWERED,
                (),
                LANGUAGE_MODEL_SECONDS,
            )
    if Role.ARCHIVE in roles or (Role.GATEWAY in roles and settings.archive.url is not None):
        yield Check("archive", "archive", partial(_archive, settings), _UNANSWERED, (), 30.0)
    if Role.NOTIFIER in roles:
        yield Check("webhooks", "webhooks", partial(_webhooks, settings), "report this")


def _language_model(settings: Settings, base_url: str, clock: Clock) -> Iterator[Finding]:
    from kascribe.operations.doctor.findings import failed

    if not base_url:
        remedy = "set KASCRIBE_VLLM_BASE_URL, as in http://host:8000"
        yield failed("server", "no address is set, so the enricher does not start", remedy)
        return
    from kascribe.operations.doctor.language_model import check_server

    yield from check_server(settings.vllm, base_url, clock=clock)


def _archive(settings: Settings) -> Iterator[Finding]:
    from kascribe.operations.doctor.archive import check_archive

    yield from check_archive(settings.archive)


def _webhooks(settings: Settings) -> Iterator[Finding]:
    from kascribe.operations.doctor.webhooks import check_webhooks

    yield from check_webhooks(settings.webhooks)
