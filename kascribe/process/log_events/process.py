"""Events of every process: start, end, health, and its log itself."""

from typing import Final

from kascribe.process.log_events.event import LogEvent

EVENTS: Final = (
    LogEvent(
        name="running",
        level="info",
        fields=("role", "topics"),
        meaning="The role joins its group.",
    ),
    LogEvent(
        name="stopped",
        level="info",
        fields=("role",),
        meaning="The role has released its partitions.",
    ),
    LogEvent(
        name="health and metrics served",
        level="info",
        fields=("port",),
        meaning="Where health checks and metrics are, from now on.",
    ),
    LogEvent(
        name="health request failed",
        level="debug",
        fields=("client", "exc_info"),
        cause=(),
        meaning="A client of the health server left before its answer, or sent nonsense.",
    ),
    LogEvent(
        name="traces are sent",
        level="info",
        fields=("endpoint_url", "sample_ratio"),
        meaning="Where spans go, and which share of new traces is kept.",
    ),
    LogEvent(
        name="no traces are sent: install kascribe[tracing] or unset the endpoint",
        level="warning",
        fields=("error",),
        meaning="An endpoint for traces is set, and the package that sends them is not installed. Work continues.",
        action="Install the extra `tracing`, or unset KASCRIBE_TRACING_ENDPOINT_URL and `OTEL_*` names.",
    ),
    LogEvent(
        name="spans are not accepted, traces have gaps",
        level="warning",
        fields=("error", "dropped"),
        meaning="The first export that the collector did not accept; those after it are only counted.",
        action="Look at `error`: a wrong address, a token, a collector that is down. Work does not wait for it.",
        alert="when it lasts",
    ),
    LogEvent(
        name="spans are accepted again",
        level="info",
        meaning="The collector answers again.",
    ),
    LogEvent(
        name="the process ends",
        level="error",
        fields=("why", "exc_info"),
        meaning="The last line of a process that cannot continue: settings, a lost client, a defect.",
        action="Do what `why` says. A supervisor starts the process again; its records are redelivered.",
        alert="yes",
    ),
    LogEvent(
        name="drain time is over; ending without waiting for the rest",
        level="warning",
        meaning="The process ends with attempts unfinished; they run again elsewhere.",
        action="Frequent ones: raise KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS and the supervisor's time.",
    ),
    LogEvent(
        name="engine hangs or is broken; ending the process so that a new one takes over",
        level="error",
        fields=("exit_code",),
        meaning="The device was lost, or a call of the model does not return.",
        action="Look at the GPU (`nvidia-smi`, the kernel's log) if it happens again.",
        alert="yes",
    ),
    LogEvent(
        name="group.instance.id still in use; joining again",
        level="warning",
        fields=("error",),
        cause=("error",),
        meaning="The broker still counts the process before this one as a member, for 45 s by default.",
        action="Longer than two minutes: another process uses the same id.",
        alert="when it lasts",
    ),
    LogEvent(
        name="an exception was ignored",
        level="error",
        fields=("where", "exc_info"),
        cause=("where",),
        meaning="Python could not raise an exception: it came from a destructor or a callback.",
        action="Report it with the traceback.",
        alert="yes",
    ),
    LogEvent(
        name="repeated lines were left out",
        level="info",
        fields=("of", "cause", "left_out"),
        meaning="The number of lines with one cause since the last that was written.",
    ),
    LogEvent(
        name="log file cannot be written",
        level="warning",
        fields=("path", "error"),
        meaning="The disk of KASCRIBE_LOG_FILE is full or fails. Work continues; lines go to standard error only.",
        action="Free the disk. The file is written again by itself.",
        alert="yes",
    ),
    LogEvent(
        name="log file cannot be rotated",
        level="warning",
        fields=("path", "error"),
        meaning="The file has reached KASCRIBE_LOG_FILE_LIMIT_BYTES and cannot be renamed: it grows.",
        action="Let the role's user write the folder. Rotation is tried again once a minute.",
        alert="yes",
    ),
    LogEvent(
        name="log file is written again",
        level="warning",
        fields=("path", "lost_lines"),
        meaning="The end of *log file cannot be written*; `lost_lines` are not in the file.",
    ),
)
