"""For each alert, series with which it must fire, and series of a system that is well or nearly not.

Values are in promtool's notation: ``1x60`` is 1 for an hour of minutes, ``0+5x60`` grows by 5 each minute.
"""

from dataclasses import dataclass
from typing import Final

Series = dict[str, str]

JOB: Final = 'job="kascribe"'
BUILD: Final = f'kascribe_build_info{{role="transcriber",{JOB},instance="a"}}'
HOUR: Final = "x90"
AT_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Case:
    """Series that make an alert fire at minute 60, and series that do not."""

    firing: Series
    quiet: Series


def _down(service: str) -> Case:
    series = f'kascribe_dependency_down{{dependency="{service}",{JOB},instance="%s"}}'
    other = "kafka" if service != "kafka" else "s3"
    quiet = {series % "a": f"0{HOUR}", f'kascribe_dependency_down{{dependency="{other}",{JOB}}}': f"1{HOUR}"}
    return Case({series % "a": f"0{HOUR}", series % "b": f"1{HOUR}"}, quiet)


def _counted(series: str) -> Case:
    """Return an event within the last minutes, and one of an hour before."""
    return Case({series: "0x57 1x32"}, {series: "0x5 1x85"})


def _shared(part: str, whole: str) -> Case:
    """Return half of the events being the wrong ones, and one of a thousand."""
    return Case({part: "0+500x90", whole: "0+500x90"}, {part: "0+1x90", whole: "0+999x90"})


def _of(name: str, **labels: str) -> str:
    inner = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inner}{',' if inner else ''}{JOB}}}"


_BUCKET: Final = 'kascribe_end_to_end_seconds_bucket{role="transcriber",lane="%s",le="%s"}'
_BACKLOG: Final = _of("kascribe_backlog_audio_seconds", role="transcriber", lane="bulk", basis="estimated")
_RECORDS: Final = _of("kascribe_backlog_records", role="transcriber", lane="bulk")
_SETTLED: Final = _of("kascribe_records_settled_total", topic="audio.references", outcome="completed")
_AUDIO: Final = _of("kascribe_transcribed_audio_seconds_total", lane="bulk")
_STARTED: Final = f'process_start_time_seconds{{{JOB},instance="a"}}'
_OPEN: Final = f'process_open_fds{{{JOB},instance="a"}}'
_MOST: Final = f'process_max_fds{{{JOB},instance="a"}}'
_UNDELIVERED: Final = _of("kascribe_undelivered_records")
_PUBLISHED: Final = _of("kascribe_records_published_total", topic="audio.transcripts")
_RUNS: Final = "kascribe_reconciler_runs_total"
_REFUSALS: Final = _of("kascribe_http_refusals_total", kind="connections")
_OLDEST: Final = _of("kascribe_oldest_incomplete_age_seconds", topic="audio.references", partition="0")
_METADATA: Final = _of("kascribe_commit_metadata_characters", topic="audio.references", partition="0")

CASES: Final[dict[str, Case]] = {
    "KascribeKafkaDown": _down("kafka"),
    "KascribeBucketDown": _down("s3"),
    "KascribeLanguageModelDown": _down("vllm"),
    "KascribeScratchFull": _down("scratch"),
    "KascribeModelDown": _down("model"),
    "KascribeDecodersDown": _down("engine"),
    "KascribeArchiveDatabaseDown": _down("archive"),
    "KascribeDescriptorsExhausted": _down("descriptors"),
    "KascribeEnricherMissing": _down("enricher"),
    "KascribeRoleGone": Case({BUILD: "1x46"}, {BUILD: f"1{HOUR}"}),
    "KascribeRestartsOften": Case(
        {BUILD: f"1{HOUR}", _STARTED: "1x40 2x5 3x5 4x5 5x40"},
        {BUILD: f"1{HOUR}", _STARTED: "1x40 2x50", 'process_start_time_seconds{job="other"}': "0+1x90"},
    ),
    "KascribeDescriptorsLow": Case(
        {BUILD: f"1{HOUR}", _OPEN: f"95{HOUR}", _MOST: f"100{HOUR}"},
        {BUILD: f"1{HOUR}", _OPEN: f"50{HOUR}", _MOST: f"100{HOUR}"},
    ),
    "KascribeNoPartitions": Case(
        {_of("kascribe_partitions_assigned"): f"0{HOUR}"}, {_of("kascribe_partitions_assigned"): "4x55 0x4 4x40"}
    ),
    "KascribePartitionsLost": _counted(_of("kascribe_rebalances_total", kind="lost")),
    "KascribeUncleanTakeovers": _counted(_of("kascribe_unclean_takeovers_total", topic="audio.references")),
    "KascribeLanguageModelErrors": _shared(
        _of("kascribe_vllm_requests_total", outcome="failed"),
        _of("kascribe_vllm_requests_total", outcome="answered"),
    ),
    "KascribeOutputsUnconfirmed": Case(
        {_UNDELIVERED: f"3{HOUR}"}, {_UNDELIVERED: f"3{HOUR}", _PUBLISHED: "0+1x90"}
    ),
    "KascribeBacklogGrows": Case(
        {_BACKLOG: f"80000{HOUR}", _AUDIO: "0+600x90"}, {_BACKLOG: f"80000{HOUR}", _AUDIO: "0+6000x90"}
    ),
    "KascribeBacklogStands": Case(
        {_RECORDS: f"5{HOUR}", _SETTLED: f"9{HOUR}"}, {_RECORDS: f"5{HOUR}", _SETTLED: "0+1x90"}
    ),
    "KascribeRecordTakesHours": Case({_OLDEST: f"20000{HOUR}"}, {_OLDEST: f"7200{HOUR}"}),
    "KascribeCommitMetadataFull": Case({_METADATA: f"3900{HOUR}"}, {_METADATA: f"2000{HOUR}"}),
    "KascribeInteractiveSlow": Case(
        {_BUCKET % ("interactive", "60"): "0+10x90", _BUCKET % ("interactive", "30"): "0+5x90"}
        | {_BUCKET % ("interactive", "+Inf"): "0+10x90"},
        {_BUCKET % ("interactive", "5"): "0+10x90", _BUCKET % ("interactive", "+Inf"): "0+10x90"}
        | {_BUCKET % ("bulk", "300"): "0+10x90", _BUCKET % ("bulk", "+Inf"): "0+10x90"},
    ),
    "KascribeDeadLetters": _counted(_of("kascribe_dead_letters_total", reason="audio_empty")),
    "KascribeDefect": Case(
        {_of("kascribe_dead_letters_total", reason="internal_error"): "0x57 1x32"},
        {_of("kascribe_dead_letters_total", reason="audio_empty"): "0x57 1x32"},
    ),
    "KascribeFailuresOften": Case(
        {_of("kascribe_failures_total", reason="engine_failed"): "0+5x90", _SETTLED: "0+10x90"},
        {_of("kascribe_failures_total", reason="dependency_down"): "0+9x90", _SETTLED: "0+10x90"},
    ),
    "KascribeCommitFailures": Case(
        {_of("kascribe_commit_failures_total"): "0+1x90"}, {_of("kascribe_commit_failures_total"): "0x57 3x32"}
    ),
    "KascribeGatewayErrors": _shared(
        _of("kascribe_http_requests_total", status="503", route="/transcribe"),
        _of("kascribe_http_requests_total", status="200", route="/transcribe"),
    ),
    "KascribeGatewayRefuses": Case({_REFUSALS: "0+600x90"}, {_REFUSALS: "0+6x90"}),
    "KascribeWebhooksFail": Case(
        {
            _of("kascribe_webhook_deliveries_total", result="failed"): "0+9x90",
            _of("kascribe_webhook_deliveries_total", result="delivered"): "0+1x90",
        },
        {
            _of("kascribe_webhook_deliveries_total", result="failed"): "0+1x90",
            _of("kascribe_webhook_deliveries_total", result="delivered"): "0+9x90",
        },
    ),
    "KascribeReconcilerFails": Case(
        {_of(_RUNS, outcome="failed"): "0+1x90", _of(_RUNS, outcome="completed"): f"0{HOUR}"},
        {_of(_RUNS, outcome="failed"): "0+1x90", _of(_RUNS, outcome="completed"): "0+1x90"},
    ),
    "KascribeNotificationsLost": Case(
        {_of("kascribe_reconciled_objects_total", outcome="published"): "0x57 4x32"},
        {_of("kascribe_reconciled_objects_total", outcome="known"): "0x57 4x32"},
    ),
    "KascribeArchiveSkips": _counted(_of("kascribe_archive_skipped_records_total", topic="audio.progress")),
}
