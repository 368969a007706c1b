"""The sections of the settings."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from schemas.options import ProfileName
from schemas.settings.archive import ArchiveSettings
from schemas.settings.gateway import GatewaySettings
from schemas.settings.reconciler import ReconcilerSettings
from schemas.settings.security import SecuritySettings
from schemas.settings.tracing import TracingSettings
from schemas.settings.types import (
    BucketName,
    ByteCount,
    Count,
    Folder,
    HttpAddress,
    Port,
    RetryDelay,
    Seconds,
    Section,
    ServerAddresses,
    TopicPrefix,
)
from schemas.settings.webhooks import WebhooksSettings
from schemas.transcripts.doubts import DoubtRule
from schemas.transcripts.subtitles.settings import SubtitleSettings


class KafkaSettings(Section):
    """The broker. Any other ``KASCRIBE_KAFKA_*`` name is passed on as a librdkafka property."""

    bootstrap_servers: str = Field(default="localhost:9092", description="Brokers, comma-separated.")
    topic_prefix: TopicPrefix = Field(default="", description="Prefix of every topic's name, separator included.")
    group_id_prefix: str = Field(
        default="kascribe.", description="Prefix of the group id; the role's name follows."
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        default="consumer", description="consumer is KIP-848 and requires brokers of version 4.0 or later."
    )
    create_topics: bool = Field(default=True, description="Create missing topics at start.")
    topic_partitions: int = Field(default=12, ge=1, description="Partitions of the topics that Kascribe creates.")
    topic_replication: int = Field(default=-1, description="Replicas of those topics; -1: the broker's default.")
    properties: dict[str, SecretStr] = Field(
        default_factory=dict, description="librdkafka properties for every client, such as sasl.mechanism."
    )


class S3Settings(Section):
    """The object store. Credentials come from the standard AWS_* variables or files."""

    endpoint_url: HttpAddress | None = Field(default=None, description="None is AWS; MinIO: http://host:9000.")
    region: str | None = Field(default=None, description="None leaves it to AWS_REGION.")
    bucket: BucketName = Field(default="audio", description="Where uploads go.")
    allowed_buckets: tuple[BucketName, ...] = Field(
        default=(), description="Buckets that references may name; empty: only the bucket above."
    )
    results_bucket: BucketName | None = Field(default=None, description="None: the same bucket as uploads.")
    results_prefix: Folder = Field(
        default="kascribe-results/",
        description="The folder of results; a leading slash is dropped, a trailing one added.",
    )
    uploads_prefix: Folder = Field(
        default="kascribe-uploads/", description="The folder of Kascribe's own uploads; likewise."
    )
    object_limit_bytes: ByteCount = Field(default=8 * 1024**3, description="Larger objects are audio_too_large.")
    part_size_bytes: ByteCount = Field(
        default=16 * 1024**2, description="Bytes of one ranged read or upload part."
    )
    timeout_seconds: Seconds = Field(default=30.0, description="Limit of one connect or one read.")


class WhisperSettings(Section):
    """The model and how it runs."""

    model: str = Field(default="large-v3-turbo", description="A name that the store knows, or a directory.")
    translates: bool | None = Field(
        default=None, description="Whether the model was trained to translate; None derives it from the name."
    )
    models_directory: Path | None = Field(default=None, description="None: kascribe/models in the user's cache.")
    offline: bool = Field(default=False, description="Never make a network call for a model.")
    device: Literal["auto", "cuda", "cpu"] = Field(
        default="auto", description="auto takes the GPU where there is one."
    )
    device_index: int = Field(default=0, ge=0, description="Which GPU, counted from 0.")
    compute_type: str = Field(
        default="default",
        description="A CTranslate2 type, such as float16 or int8; default: int8 on a CPU, the weights' on a GPU.",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        description="Windows in one call at most; None: 32 on a GPU, fewer where they do not fit; 1 on a CPU.",
    )
    cpu_threads: int = Field(default=0, ge=0, description="0: one per core.")
    replicas: int = Field(
        default=0,
        ge=0,
        description="Concurrent calls on one device; 0: two on a GPU, by cores on a CPU, where one more serves "
        "interactive records.",
    )
    decoder_processes: int = Field(
        default=0,
        ge=0,
        description="Child processes that decode and detect speech; 0: one per core except two, 2 to 16.",
    )
    decoder_memory_bytes: ByteCount = Field(default=1536 * 1024**2, description="Address space of one child.")
    decoder_sandbox: Literal["available", "required", "off"] = Field(
        default="available",
        description="available: children decode in the sandbox that the kernel offers, and protections that it "
        "does not enforce are reported; required: nothing is decoded without all protections; off: no sandbox.",
    )
    decoder_timeout_seconds: Seconds = Field(
        default=600.0, description="Time without output after which a child is killed."
    )
    audio_limit_seconds: Seconds = Field(default=12 * 3600.0, description="Longer audio is audio_too_long.")
    hang_timeout_seconds: Seconds = Field(
        default=300.0, description="Limit of one batch; after it the engine is replaced."
    )


class RuntimeSettings(Section):
    """The consumer's limits. They bound memory, and the work that a crash can cause to be repeated."""

    delivery: Literal["at_least_once", "exactly_once"] = Field(
        default="at_least_once",
        description="Delivery guarantee for consumers of Kascribe's topics: exactly_once publishes and commits in "
        "transactions, for readers with read_committed.",
    )
    in_flight_records: int = Field(
        default=64,
        ge=1,
        description="Records in flight; an eighth more for interactive records. "
        "Unless set, 192 for a transcriber on a GPU.",
    )
    in_flight_bytes: int = Field(
        default=4 * 1024**3, ge=1, description="Bytes of their objects; each counts at most a quarter of this."
    )
    in_flight_audio_seconds: float = Field(default=8 * 3600.0, gt=0, description="Seconds of audio; likewise.")
    worker_threads: int = Field(
        default=32,
        ge=1,
        description="Records processed concurrently; an eighth more for interactive records. "
        "Unless set, 128 for a transcriber on a GPU.",
    )
    poll_interval_seconds: float = Field(default=0.1, gt=0, le=0.1, description="Longest wait in one poll.")
    commit_interval_seconds: float = Field(default=0.1, gt=0, description="Longest time between commits.")
    retry_delays_seconds: tuple[RetryDelay, ...] = Field(
        default=(10, 60, 600), description="One retry topic each."
    )
    killer_attempts: int = Field(
        default=4,
        ge=1,
        description="Process deaths before a record is set aside: two of them with it alone, so 3 at least.",
    )
    killer_rest_seconds: float = Field(
        default=30.0,
        ge=0,
        description="Delay before a record that ended a process while it ran alone runs alone again.",
    )
    drain_timeout_seconds: float = Field(
        ge=0, default=30.0, description="Limit from SIGTERM to the end of the process."
    )
    revoke_timeout_seconds: float = Field(
        ge=0, default=10.0, description="Limit for records in flight at revocation."
    )
    dependency_check_seconds: Seconds = Field(
        default=2.0, description="Interval between probes of a service that is down."
    )


class VllmSettings(Section):
    """The language model server; without a URL there is no enrichment."""

    base_url: ServerAddresses | None = Field(
        default=None, description="One address, or several, comma-separated; without /v1."
    )
    model: str | None = Field(default=None, description="None takes it from the server's /v1/models.")
    api_key: SecretStr | None = Field(default=None, description="Sent as the bearer token.")
    timeout_seconds: Seconds = Field(default=120.0, description="Limit of one request.")
    concurrency_limit: int = Field(default=64, ge=1, description="Requests in flight per server at most.")
    attempts: int = Field(default=4, ge=1, description="Attempts of one request before its job is retried later.")
    context_tokens: int = Field(
        default=4_096, ge=256, description="Assumed context when the server does not report it."
    )
    priority: bool = Field(default=False, description="Send vLLM's priority; requires its priority scheduling.")
    tls_ca_file: Path | None = Field(
        default=None, description="File of the authorities to trust; None: the system's."
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="Client certificate, for servers that require one."
    )
    tls_key_file: Path | None = Field(
        default=None, description="Key of the client certificate, if not in the same file."
    )
    profiles: tuple[ProfileName, ...] = Field(
        default=(), max_length=16, description="Run on every transcript whose job requests none."
    )
    instruction: str | None = Field(
        default=None,
        max_length=4_000,
        description="Free instruction to run on the same transcripts; its answer is text.",
    )
    answer_language: str | None = Field(
        default=None, max_length=64, description="Default language of answers; None: the transcript's."
    )
    profiles_directory: Path | None = Field(
        default=None, description="Directory of custom profiles, one file each."
    )
    drop_doubts: tuple[DoubtRule, ...] = Field(
        default=(), description="Rules whose doubts drop the list items that they are about."
    )


class ServerSettings(Section):
    """Health and metrics over HTTP of the reconciler and every role but the gateway, one server per process."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=9464, description="0 takes a free one.")


class LogSettings(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: JSON off a terminal.")
    file: Path | None = Field(
        default=None,
        description="Also append every line, as JSON, to this file; `{role}` in its name stands for the role.",
    )
    file_limit_bytes: int = Field(
        default=100 * 1024**2, ge=0, description="Rotate the file at this size; 0: never, logrotate does."
    )
    kept_files: Count = Field(
        default=5, le=1_000, description="Rotated files that are kept, `FILE.1` the newest, beside the one in use."
    )


class Settings(Section):
    """All settings."""

    kafka: KafkaSettings = KafkaSettings()
    s3: S3Settings = S3Settings()
    whisper: WhisperSettings = WhisperSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    vllm: VllmSettings = VllmSettings()
    gateway: GatewaySettings = GatewaySettings()
    archive: ArchiveSettings = ArchiveSettings()
    reconciler: ReconcilerSettings = ReconcilerSettings()
    subtitles: SubtitleSettings = SubtitleSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    security: SecuritySettings = SecuritySettings()
