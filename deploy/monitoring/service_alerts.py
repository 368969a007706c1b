"""Alerts about the services that roles need, and about their processes."""

from collections.abc import Sequence
from typing import Final

from consumers import metrics as runtime
from deploy.monitoring.alert import Alert, Severity
from deploy.monitoring.expressions import PLACE, highest, increase, rate, series, summed_peaks
from kascribe.metering.requests import REQUESTS
from schemas.monitoring import BUILD_INFO, DEPENDENCY_DOWN

RESTARTS_LIMIT: Final = 3
"""Restarts of one process within half an hour: an upgrade needs one."""

DESCRIPTORS_SHARE: Final = 0.9
REQUEST_FAILURES_SHARE: Final = 0.2
MODEL_LOAD: Final = "10m"
"""A model of 3 GB is fetched and warmed up in less."""

GONE: Final = "6h"
"""How long a role that is gone is remembered, and its alert rings."""

RESTART: Final = "2m"
"""A process that restarts has finished its next record, and was scraped, within this time where work waits."""


def _down(
    name: str, service: str, *, lasts: str, severity: Severity, what: str, meaning: str, remedies: Sequence[str]
) -> Alert:
    return Alert(
        name,
        f"{highest(DEPENDENCY_DOWN, *PLACE, dependency=service)} == 1",
        lasts,
        severity,
        f"{{{{ $labels.job }}}}: {what}",
        meaning,
        remedies,
    )


DEPENDENCY_ALERTS: Final = (
    _down(
        "KascribeKafkaDown",
        "kafka",
        lasts="1m",
        severity="critical",
        what="Kafka does not answer",
        meaning="No broker has answered a role for 15 s, so nothing is read and nothing is published. Work in "
        "progress "
        "continues and is published once Kafka is back; nothing is lost.",
        remedies=(
            (
                "`/health/ready` of the role has what the client reports; `kascribe config show` what it connects "
                "to."
            ),
            "Look at the brokers: are they running, is their disk full, does the coordinator of the group move?",
            ("Connection refused, or a certificate in the log: see network policy, TLS and SASL settings."),
        ),
    ),
    _down(
        "KascribeBucketDown",
        "s3",
        lasts="1m",
        severity="critical",
        what="the object store does not answer",
        meaning="The bucket has not answered for 15 s, or answers only its probes and refuses reads or writes. "
        "Intake "
        "pauses; records wait as the same attempt, and none goes to the dead letters for it.",
        remedies=(
            "Read the line `dependency is down, intake pauses` of the role: it has the store's own error.",
            (
                "A 403 is a policy or a clock: compare the machine's clock with the store's, and keys with the "
                "policy."
            ),
            "Intake resumes by itself once the store answers.",
        ),
    ),
    _down(
        "KascribeLanguageModelDown",
        "vllm",
        lasts="1m",
        severity="critical",
        what="no language model server answers",
        meaning="Requests for answers fail on every server of `KASCRIBE_VLLM_BASE_URL`, so enrichment waits. "
        "Transcription continues. Without transcripts to enrich no request is made, and no outage is noticed.",
        remedies=(
            "Read the servers' logs: out of memory, a model that is loading, another model name?",
            "`curl $KASCRIBE_VLLM_BASE_URL/v1/models` from the enricher's machine.",
            "Waiting transcripts are enriched in order once a server generates tokens.",
        ),
    ),
    _down(
        "KascribeScratchFull",
        "scratch",
        lasts="5m",
        severity="critical",
        what="no room for audio on the scratch disk",
        meaning="A file does not fit on the disk under the temporary directory, so it waits, and intake with it.",
        remedies=(
            "Free space there, or move `TMPDIR` to a larger disk.",
            "Files of a killed process are removed when the next one starts.",
        ),
    ),
    _down(
        "KascribeModelDown",
        "model",
        lasts=MODEL_LOAD,
        severity="critical",
        what="the speech model is not ready, or no longer responds",
        meaning="The transcriber has been loading its model for ten minutes, or a call of it hangs; then its "
        "liveness "
        "fails, and an orchestrator replaces the process.",
        remedies=(
            "The log's last lines say what is fetched, or which device is missing.",
            "`kascribe models list` on that machine; a machine without internet needs the model on its disk.",
            "For a GPU that was lost: `nvidia-smi`, and the kernel's log for Xid errors.",
        ),
    ),
    _down(
        "KascribeDecodersDown",
        "engine",
        lasts="5m",
        severity="critical",
        what="no decoder process can be started",
        meaning="Files wait, since no child process that decodes them starts, or the engine is not healthy.",
        remedies=(
            "The log has the child's own output. Limits on processes and memory are the usual cause.",
            "A new process helps if the engine hangs; its liveness then fails as well.",
        ),
    ),
    _down(
        "KascribeArchiveDatabaseDown",
        "archive",
        lasts="2m",
        severity="warning",
        what="the archive's database does not answer",
        meaning="Lists and searches fail, and the archive falls behind. Transcription continues, and the archive "
        "catches "
        "up afterwards.",
        remedies=("See PostgreSQL, or the disk of the SQLite file.", "`KASCRIBE_ARCHIVE_URL` names the database."),
    ),
    _down(
        "KascribeDescriptorsExhausted",
        "descriptors",
        lasts="2m",
        severity="critical",
        what="too many open files",
        meaning="The process may open no further file, so records wait.",
        remedies=("Raise the limit of open files (`ulimit -n`, `LimitNOFILE`) to 65,536.",),
    ),
    _down(
        "KascribeEnricherMissing",
        "enricher",
        lasts="5m",
        severity="warning",
        what="no enricher is a member of its consumer group",
        meaning="The gateway expects an enricher (`KASCRIBE_GATEWAY_ENRICHMENT`) and none runs, so it is not "
        "ready.",
        remedies=("Start one, or set `KASCRIBE_GATEWAY_ENRICHMENT=false` where none is to run.",),
    ),
)

PROCESS_ALERTS: Final = (
    Alert(
        "KascribeRoleGone",
        f"group by (namespace, role) (present_over_time({series(BUILD_INFO)}[{GONE}])) unless "
        f"group by (namespace, role) ({series(BUILD_INFO)})",
        "5m",
        "critical",
        "no {{ $labels.role }} is scraped any more{{ with $labels.namespace }} in {{ . }}{{ end }}",
        f"Every process of a role that ran in this namespace within the last {GONE[:-1]} hours is gone, or "
        "Prometheus cannot reach it.",
        (
            "Start the role. It continues from its committed offsets.",
            "If it runs: see Prometheus's page of targets.",
            (
                f"The alert rings until the role is back, for {GONE[:-1]} hours at most: after that it is "
                "forgotten. Silence it for a role that was removed on purpose."
            ),
        ),
    ),
    Alert(
        "KascribeRestartsOften",
        f"changes(process_start_time_seconds[30m]) > {RESTARTS_LIMIT} and on (job, instance) {series(BUILD_INFO)}",
        "0m",
        "critical",
        "{{ $labels.job }} on {{ $labels.instance }} has restarted {{ $value }} times within 30 minutes",
        "A process ends again and again: its last lines say why.",
        (
            "`unclean takeovers` beside it mean that it was killed: look for the kernel's out-of-memory messages.",
            "A record that ends processes is found and dead-lettered by itself (`killer_record`).",
        ),
    ),
    Alert(
        "KascribeDescriptorsLow",
        f"process_open_fds / process_max_fds > {DESCRIPTORS_SHARE} and on (job, instance) {series(BUILD_INFO)}",
        "5m",
        "warning",
        "{{ $labels.job }} on {{ $labels.instance }} has {{ $value | humanizePercentage }} of its descriptors "
        "open",
        "Soon no file can be opened, and no connection taken.",
        ("Raise the limit of open files (`ulimit -n`, `LimitNOFILE`) to 65,536.",),
    ),
    Alert(
        "KascribeNoPartitions",
        f"{series(runtime.PARTITIONS_ASSIGNED)} == 0",
        "15m",
        "warning",
        "{{ $labels.job }} on {{ $labels.instance }} holds no partition",
        "The process is idle: there are more processes than partitions, or it cannot join its group.",
        (
            "Compare the number of processes with the partitions of the input topics.",
            "`/health/ready` says whether Kafka counts it as a member.",
        ),
    ),
    Alert(
        "KascribePartitionsLost",
        f"{increase(runtime.REBALANCES, *PLACE, window='15m', kind='lost')} > 0",
        "0m",
        "warning",
        "{{ $labels.job }} lost partitions without releasing them",
        "The group evicted a process: it did not poll, or did not reach the coordinator, for the session's "
        "length. "
        "Records in flight are repeated by the next holder; their results are stored once.",
        (
            (
                "See `kascribe_poll_gap_seconds`: long gaps mean a machine without CPU time, or one that was "
                "suspended."
            ),
            "See KascribeKafkaDown.",
        ),
    ),
    Alert(
        "KascribeUncleanTakeovers",
        f"{increase(runtime.UNCLEAN_TAKEOVERS, *PLACE, window='15m')} > 0",
        "0m",
        "warning",
        "{{ $labels.job }} took partitions over from a process that was killed",
        "A process ended without releasing its partitions: killed, out of memory, or a lost machine.",
        (
            "See its last log lines and the kernel's log.",
            "With SIGTERM a role drains; give it longer than `KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS`.",
        ),
    ),
    Alert(
        "KascribeLanguageModelErrors",
        f"{rate(REQUESTS, *PLACE, window='10m', outcome='~failed|overloaded|refused|too_slow|unreachable')}"
        f" / {rate(REQUESTS, *PLACE, window='10m', outcome='!cancelled')} > {REQUEST_FAILURES_SHARE}",
        "10m",
        "warning",
        "{{ $value | humanizePercentage }} of the requests to language model servers fail",
        "Servers answer some requests and fail others; each is tried again, so enrichment is slow rather than "
        "wrong.",
        (
            "`kascribe_vllm_requests_total` by `outcome` says how they fail.",
            "overloaded or too_slow: add a server, or lower `KASCRIBE_VLLM_CONCURRENCY_LIMIT`.",
        ),
    ),
    Alert(
        "KascribeOutputsUnconfirmed",
        f"{summed_peaks(runtime.UNDELIVERED_RECORDS, *PLACE, window=RESTART)} > 0 unless on (namespace, job) "
        f"({rate(runtime.RECORDS_PUBLISHED, *PLACE, window='5m')} > 0)",
        "5m",
        "critical",
        "{{ $labels.job }} has {{ $value }} finished records that Kafka does not confirm",
        "Results are done and stored, and the broker takes no event of them: too few replicas in sync, a topic "
        "without "
        "write permission, or a broker that is down. Restarts of the process in between do not end the alert.",
        (
            "Readiness says why the oldest batch is stuck.",
            "See `min.insync.replicas` and the brokers that are missing.",
        ),
    ),
)
