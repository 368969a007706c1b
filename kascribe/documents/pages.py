"""The generated pages of reference: settings, reasons, topics, metrics. Pure: models and tables in, text out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kascribe.documents.channels import topic_rows
from kascribe.documents.markdown import page, table
from schemas.errors import JobError, Reason, TransientError
from schemas.kafka.reasons import REASON_TEXTS
from schemas.monitoring import Metric
from schemas.settings import RuntimeSettings, catalogue

_SETTINGS_INTRODUCTION: Final = """
A setting comes from, the later the stronger: its default, names that other programs use too (below), a TOML
file (`kascribe.toml` in the working directory, or the one that `--config` or `KASCRIBE_CONFIG` names), a `.env`
file in the working directory, the environment, the command line. `kascribe config show` prints each
setting's effective value and its source.

- In TOML, `[whisper]` and `device = "cuda"`; in the environment, `KASCRIBE_WHISPER_DEVICE=cuda`.
- Lists are written with commas: `KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS=10,60`. Empty counts as not given.
- A secret can be read from a file: `KASCRIBE_VLLM_API_KEY_FILE=/run/secrets/key`.
- A name that is no setting is an error, with the nearest name that is one.

Any librdkafka property passes: in capitals, with underscores for dots, after `KASCRIBE_KAFKA_`. SASL over TLS is
`KASCRIBE_KAFKA_SECURITY_PROTOCOL=SASL_SSL`, `KASCRIBE_KAFKA_SASL_MECHANISM=SCRAM-SHA-512`,
`KASCRIBE_KAFKA_SASL_USERNAME=...`, `KASCRIBE_KAFKA_SASL_PASSWORD_FILE=...`, `KASCRIBE_KAFKA_SSL_CA_LOCATION=...`;
in TOML it is the table `[kafka.properties]` with librdkafka's own names. Those on which delivery depends, such
as `enable.auto.commit`, cannot be set.

Names of other programs that fill in what none of ours says: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` (the
endpoint), `AWS_REGION`, `AWS_DEFAULT_REGION`, `HF_HUB_OFFLINE` (offline), `WHISPER_DEVICE` (device),
`MODEL_NAME` (vLLM's model); `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and
`OTEL_EXPORTER_OTLP_CERTIFICATE`, and the same with `_TRACES_` ([traces](tracing.md)). Credentials have no names of
ours: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE` and all else that boto3 reads, and `HF_TOKEN`,
`HUGGINGFACE_HUB_TOKEN`, `HF_ENDPOINT` for pulling models. A `.env` file may hold them too.

Nothing is reported to anyone: `ORT_DISABLE_TELEMETRY=1` (onnxruntime) and `HF_HUB_DISABLE_TELEMETRY=1` (Hugging
Face's client) are set unless you set them.

`KASCRIBE_CACHE` is read in a checkout alone, by `make`'s targets and the tests: where what they build and download
is kept (servers, tools, wheels, models for measurements), instead of `kascribe` in the user's cache.
"""

_REASONS_INTRODUCTION: Final = """
A record that cannot be processed goes to `<topic>.dlq` with its original key, value and headers, and with one of
these words in the header `kascribe-reason`. They are a closed set: metrics carry them as a label. *At once* means
that the same input would fail again; otherwise the record went through the retry topics first.
"""

_HTTP_REASONS: Final = """
## Over HTTP

A failed request has one of these words as `error.reason`, or as `error.code` on OpenAI's routes. What to do is in
its message. Audio that cannot be used is a 400 on OpenAI's routes, as it is at OpenAI.
""".strip()

_TOPICS_INTRODUCTION: Final = """
What travels where; a prefix may stand before every name (`KASCRIBE_KAFKA_TOPIC_PREFIX`). The actions are
Kascribe's. Values are UTF-8 JSON with `schema_version`; readers ignore unknown fields and refuse unknown major
versions. Headers follow the CloudEvents Kafka binding in binary mode, with `traceparent`. The retry topics are
those of the default delays. Schemas are in `contracts/`, all of it together in `contracts/asyncapi.json`.

Callers need no access to retry and dead-letter topics, and should have none: only there does Kascribe believe the
headers that say which record a job began with (its origin) and how often it was tried. `kascribe dlq redrive`
sends a letter to the shortest retry topic of its own topic, and marks it in `audio.redriven`, which it creates:
one partition, and `cleanup.policy=compact`, so a letter that went back stays marked while it exists. No contract
describes that topic: `kascribe dlq` alone writes and reads it.

An unknown name inside `options` or `enrich` is refused with `invalid_options` and the nearest name, since it would
change the result without a word; so is an option, or a misspelt field, beside `options`. Only an event of a later
minor version than this release knows (`1.1` for one that knows `1.0`) may have new options: they are ignored.

A release may add words to a list of values, such as flags, reasons and phases. Its own older roles refuse an event
with a word that they do not know, so upgrade gateways and enrichers first and transcribers last. What older
releases wrote to topics, commits and the bucket is read.
"""

_METRICS_INTRODUCTION: Final = """
Every role serves metrics in Prometheus's format: the gateway at `/metrics` of its own address, the others at
`/metrics` of `KASCRIBE_SERVER_HOST` and `KASCRIBE_SERVER_PORT` (`kascribe reconcile` too, where it runs again and
again). Beside those of the table each serves what prometheus-client says of a process:
`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_open_fds`,
`process_max_fds`, `process_start_time_seconds`.

A series with a label of a closed set, such as `reason`, `lane` or `dependency`, exists from the start of its role,
so `rate` and `increase` see its first event; so do series of the topics that a role reads. Others appear with
their first event: those of the topics that it writes, of `replica`, and of `method`, `route`, `status` and
`family`. `kascribe_decoder_sandbox` appears once a decoder has reported what protects it. `lane` is `interactive`
or `bulk`; `role` is the role that serves the metric.

Over all processes of a role, the sum of `kascribe_backlog_audio_seconds` is the audio that waits for it: what to
scale on. What one process does for it is its rate of `kascribe_transcribed_audio_seconds_total`. Where
publishers state `audio_duration_seconds` in their references, the sum needs no estimate.
"""


_TABLES: Final = {"kafka.properties": "`KASCRIBE_KAFKA_*`", "webhooks.tenants": "TOML alone"}
"""How the settings that are tables are written in an environment."""


def settings_page() -> str:
    """Return the page of settings: environment name, TOML key, values, unit, default, meaning."""
    meanings = catalogue.section_meanings()
    sections = [f"## {name}\n\n{meaning}\n\n" + _settings_table(name) for name, meaning in meanings.items()]
    return page("Settings", _SETTINGS_INTRODUCTION, *sections)


def reasons_page(over_http: Iterable[tuple[str, str, str]]) -> str:
    """Return the page of reasons for dead letters: when a record gets one and what to do.

    ``over_http`` has the reasons of failed requests: reason, status, meaning.
    """
    rows = ((f"`{reason}`", _attempts(reason), *REASON_TEXTS[reason]) for reason in Reason)
    return page(
        "Reasons",
        _REASONS_INTRODUCTION,
        table(("reason", "attempts", "what happened", "what to do"), rows),
        _HTTP_REASONS,
        table(("reason", "status", "meaning"), over_http),
    )


def topics_page() -> str:
    """Return the page of topics: value, key, what Kascribe does there, meaning."""
    rows = topic_rows(RuntimeSettings().retry_delays_seconds)
    return page("Topics", _TOPICS_INTRODUCTION, table(("topic", "value", "key", "Kascribe", "meaning"), rows))


def metrics_page(metrics: Mapping[Metric, Sequence[str]]) -> str:
    """Return the page of metrics: kind, unit, labels, the roles that serve each, meaning."""
    all_roles = {role for roles in metrics.values() for role in roles}
    rows = (
        (
            f"`{each.name}`",
            each.kind,
            each.unit,
            ", ".join(f"`{label}`" for label in each.labels),
            "all" if set(roles) == all_roles else ", ".join(roles),
            each.meaning,
        )
        for each, roles in metrics.items()
    )
    return page(
        "Metrics", _METRICS_INTRODUCTION, table(("metric", "kind", "unit", "labels", "roles", "meaning"), rows)
    )


def _settings_table(section: str) -> str:
    rows = (
        (
            _TABLES[setting.key] if setting.is_table else f"`{setting.environment_name}`",
            f"`{setting.key}`",
            setting.kind,
            setting.unit,
            _default(setting.default),
            setting.meaning,
        )
        for setting in catalogue.settings()
        if setting.section == section
    )
    return table(("environment", "TOML", "value", "unit", "default", "meaning"), rows)


def _default(value: Any) -> str:
    if value in (None, (), "", {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value}`"


def _attempts(reason: Reason) -> str:
    errors = [error for error in _job_errors(JobError) if error.reason is reason]
    transient = [error for error in errors if issubclass(error, TransientError)]
    limits = {error.attempts for error in transient}
    if reason in (Reason.INTERNAL_ERROR, Reason.DEPENDENCY_DOWN) or None in limits:
        return "all retries"
    if reason is Reason.KILLER_RECORD:
        return "`KASCRIBE_RUNTIME_KILLER_ATTEMPTS`"
    at_once = "at once" if len(errors) > len(transient) or not errors else ""
    bounded = f"up to {max(limit for limit in limits if limit)}" if limits else ""
    return ", or ".join(text for text in (at_once, bounded) if text)


def _job_errors(parent: type[JobError]) -> Iterator[type[JobError]]:
    for error in parent.__subclasses__():
        # A parent of others borrows a reason; only its children's are their own.
        if not error.__subclasses__():
            yield error
        yield from _job_errors(error)
