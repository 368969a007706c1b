"""Alerts about the work: what waits, what fails, how long people wait."""

from typing import Final

from consumers import metrics as runtime
from consumers.archive.stage import SKIPPED
from consumers.notifier.metrics import DELIVERIES
from deploy.monitoring.alert import Alert
from deploy.monitoring.expressions import PLACE, highest, increase, quantile, rate, summed
from kascribe.metering.engine import AUDIO_SECONDS
from producers.gateway.monitoring.rows import HTTP_REFUSALS, HTTP_REQUESTS
from producers.reconciler.rows import RECONCILED_OBJECTS, RECONCILER_RUNS
from schemas.options import Lane
from schemas.roles import Role

CLEAR_SECONDS: Final = 3_600
"""A backlog that takes longer to clear, at the rate of the last quarter of an hour, asks for more machines."""

FAILURES_SHARE: Final = 0.1
INTERACTIVE_SECONDS: Final = 30
INTERACTIVE_LATENCY: Final = quantile(
    0.95, runtime.END_TO_END_SECONDS, "namespace", "role", window="10m", lane=Lane.INTERACTIVE.value
)
OLDEST_SECONDS: Final = 4 * 3_600
"""Longer than the longest recording takes; liveness ends a process without any activity after the same time."""

METADATA_CHARACTERS: Final = 3_600
"""Of 4,000: beyond them intake stops until the oldest records are done."""

SERVER_ERRORS_SHARE: Final = 0.05
REFUSALS_PER_SECOND: Final = 1
WEBHOOK_FAILURES_SHARE: Final = 0.5
DEFECTS: Final = "~internal_error|killer_record|engine_failed|output_too_large"

BACKLOG_ALERTS: Final = (
    Alert(
        "KascribeBacklogGrows",
        f"{summed(runtime.BACKLOG_AUDIO_SECONDS, 'namespace', role=Role.TRANSCRIBER.value)} / "
        f"{rate(AUDIO_SECONDS, 'namespace', window='15m')} > {CLEAR_SECONDS}",
        "15m",
        "warning",
        "the audio that waits takes {{ $value | humanizeDuration }} at the present rate",
        "More audio waits than the transcribers take in an hour.",
        (
            "Add transcribers, up to one for each partition; the chart's autoscaling does it.",
            "`docs/architecture.md` says what holds one transcriber back: device, decoders, or jobs at once.",
            (
                "Interactive records pass bulk ones: see `kascribe_end_to_end_seconds` by lane for what people "
                "notice."
            ),
        ),
    ),
    Alert(
        "KascribeBacklogStands",
        f"{summed(runtime.BACKLOG_RECORDS, *PLACE)} > 0 and "
        f"{rate(runtime.RECORDS_SETTLED, *PLACE, window='15m', outcome='!parked')} == 0",
        "15m",
        "critical",
        "{{ $value }} records wait for {{ $labels.job }}, and none has ended for 15 minutes",
        "Records wait and none ends. One recording of many hours on a slow machine looks the same.",
        (
            "`/health/ready` and `kascribe_dependency_down` say which service is missing.",
            "`kascribe_engine_waiting_windows` that change: a long file is at work, and nothing is wrong.",
        ),
    ),
    Alert(
        "KascribeRecordTakesHours",
        f"{highest(runtime.OLDEST_INCOMPLETE_AGE, *PLACE, 'topic')} > {OLDEST_SECONDS}",
        "0m",
        "warning",
        "a record of {{ $labels.topic }} has been in flight for {{ $value | humanizeDuration }}",
        "One record holds the committed offset back. Later records are done and are not repeated after a restart.",
        ("The log names the job; `kascribe jobs` or its events say how far it is.",),
    ),
    Alert(
        "KascribeCommitMetadataFull",
        f"{highest(runtime.METADATA_CHARACTERS, *PLACE, 'topic')} > {METADATA_CHARACTERS}",
        "10m",
        "warning",
        "the commit metadata of {{ $labels.topic }} is nearly full",
        "Many records ended out of order beyond one that does not end. When 4,000 characters are used, the "
        "partition "
        "takes no further record until it has ended.",
        ("See KascribeRecordTakesHours.", "More partitions make fewer records wait for one."),
    ),
    Alert(
        "KascribeInteractiveSlow",
        f"{INTERACTIVE_LATENCY} > {INTERACTIVE_SECONDS}",
        "10m",
        "warning",
        "people wait {{ $value | humanizeDuration }} for an answer of the {{ $labels.role }}",
        "Of twenty interactive requests one takes longer than 30 s from its reference to its confirmed answer.",
        (
            "`kascribe_transcription_queue_seconds` by stage says where it waits.",
            "Long recordings on the interactive lane make it so by themselves: send them as bulk.",
        ),
    ),
)

FAILURE_ALERTS: Final = (
    Alert(
        "KascribeDeadLetters",
        f"{increase(runtime.DEAD_LETTERS, *PLACE, 'reason', window='15m')} > 0",
        "0m",
        "warning",
        "{{ $labels.job }} gave records up: {{ $labels.reason }}",
        "Records went to a dead-letter topic, and their jobs have failed.",
        (
            "`kascribe dlq list` shows them; [reasons](reasons.md) says what each reason asks for.",
            "`kascribe dlq redrive` sends them back once the cause is mended.",
        ),
    ),
    Alert(
        "KascribeDefect",
        f"{increase(runtime.DEAD_LETTERS, *PLACE, 'reason', window='15m', reason=DEFECTS)} > 0",
        "0m",
        "critical",
        "{{ $labels.job }} failed records by a fault of its own: {{ $labels.reason }}",
        "The cause is Kascribe, its model or its machine, and not the audio.",
        (
            "`kascribe dlq show` has the stack trace. Report it; keep the file for `killer_record`.",
            "engine_failed on every record: the device is broken. Restart the process, then see the machine.",
        ),
    ),
    Alert(
        "KascribeFailuresOften",
        f"{rate(runtime.FAILURES, *PLACE, window='10m', reason='!dependency_down')} / "
        f"{rate(runtime.RECORDS_SETTLED, *PLACE, window='10m')} > {FAILURES_SHARE}",
        "15m",
        "warning",
        "{{ $value | humanizePercentage }} of the attempts of {{ $labels.job }} fail",
        "Many attempts fail; some of them succeed later.",
        ("`kascribe_failures_total` by `reason` says why; [reasons](reasons.md) what to do.",),
    ),
    Alert(
        "KascribeCommitFailures",
        f"{increase(runtime.COMMIT_FAILURES, *PLACE, window='5m')} > 0",
        "10m",
        "warning",
        "{{ $labels.job }} cannot commit offsets",
        "Commits fail again and again; a broker that restarts makes a few fail. A crash before they succeed "
        "repeats more "
        "more records; results are stored once.",
        ("The line `commit failed` has the broker's error.", "Rights of the group: `READ` on `kascribe.*`."),
    ),
)

EDGE_ALERTS: Final = (
    Alert(
        "KascribeGatewayErrors",
        f"{rate(HTTP_REQUESTS, *PLACE, window='5m', status='~5..')} / {rate(HTTP_REQUESTS, *PLACE, window='5m')}"
        f" > {SERVER_ERRORS_SHARE}",
        "5m",
        "critical",
        "{{ $value | humanizePercentage }} of the gateway's answers are server errors",
        "Clients get 5xx answers.",
        (
            "The access log names route and status, the log the error.",
            "See KascribeKafkaDown and KascribeBucketDown.",
        ),
    ),
    Alert(
        "KascribeGatewayRefuses",
        f"{rate(HTTP_REFUSALS, *PLACE, 'kind', window='5m')} > {REFUSALS_PER_SECOND}",
        "10m",
        "warning",
        "the gateway refuses {{ $value | humanize }} requests a second: {{ $labels.kind }}",
        "A limit refuses clients: too many, too slow, or too large.",
        (
            "[HTTP API](http-api.md) describes each limit and its setting.",
            "Add a replica, or find the client that does it.",
        ),
    ),
    Alert(
        "KascribeWebhooksFail",
        f"{rate(DELIVERIES, *PLACE, window='15m', result='~failed|refused|not_allowed')} / "
        f"{rate(DELIVERIES, *PLACE, window='15m')} > {WEBHOOK_FAILURES_SHARE}",
        "15m",
        "warning",
        "{{ $value | humanizePercentage }} of the attempts to deliver webhooks fail",
        "Receivers do not take events. They are tried again for hours, then dead-lettered.",
        ("`kascribe webhooks test --url URL` says what is wrong with a receiver.",),
    ),
    Alert(
        "KascribeReconcilerFails",
        f"{increase(RECONCILER_RUNS, *PLACE, window='1h', outcome='failed')} > 0 and "
        f"{increase(RECONCILER_RUNS, *PLACE, window='1h', outcome='completed')} == 0",
        "5m",
        "warning",
        "the reconciler has completed no run within an hour",
        "Objects whose notification was lost are not found.",
        ("`/health/ready` of the reconciler names the bucket or the broker.",),
    ),
    Alert(
        "KascribeNotificationsLost",
        f"{increase(RECONCILED_OBJECTS, *PLACE, window='1h', outcome='published')} > 0",
        "0m",
        "warning",
        "the reconciler found {{ $value | humanize }} objects that no notification announced",
        "They are transcribed now. The store loses notifications, or the bucket is not set up to send them.",
        ("[Dropping files](dropping.md) shows how to set notifications up so that none is lost.",),
    ),
    Alert(
        "KascribeArchiveSkips",
        f"{increase(SKIPPED, *PLACE, 'topic', window='15m')} > 0",
        "0m",
        "warning",
        "the archive skipped records of {{ $labels.topic }}",
        "What they say is missing in lists and searches; the jobs themselves are not affected.",
        ("The log says why. After an upgrade, [build the archive again](archive.md).",),
    ),
)
