"""Events of the consumers' runtime: records, dependencies, the group and its partitions."""

from typing import Final

from kascribe.process.log_events.event import LogEvent

RECORDS: Final = (
    LogEvent(
        name="retry",
        level="warning",
        fields=("reason", "error", "next_attempt", "due_at", "retry_topic"),
        meaning="An attempt failed, and the record went to a retry topic. `due_at` is when it runs again.",
        action="Nothing for single ones. Many with one `reason`: see its row in reasons.md.",
        alert="when it lasts",
    ),
    LogEvent(
        name="dead letter",
        level="warning",
        fields=("reason", "error", "dead_letter_topic"),
        meaning="A record was given up, and is unchanged on the dead-letter topic.",
        action="See the reason in reasons.md; `kascribe dlq show` and `kascribe dlq redrive`.",
        alert="yes",
    ),
    LogEvent(
        name="record parked",
        level="info",
        fields=("dependency", "error"),
        meaning="The same attempt runs again once the dependency answers. It does not count as a retry.",
    ),
    LogEvent(
        name="record joined another",
        level="info",
        fields=("leader",),
        meaning="Another record does the same job in this process; this one waits for its end.",
    ),
    LogEvent(
        name="record dropped",
        level="info",
        fields=("why",),
        meaning="The attempt has no effect: its partition is released. The next holder of it runs the record.",
    ),
    LogEvent(
        name="record set aside",
        level="error",
        fields=("crashes", "crashes_alone"),
        meaning="Processes ended while this record ran, so it is not run again; a dead letter follows.",
        action="Keep the recording for a report; look for the ends of the processes before it.",
        alert="yes",
    ),
    LogEvent(
        name="record skipped",
        level="debug",
        fields=("record",),
        meaning="The record was completed before this process took its partition.",
    ),
    LogEvent(
        name="stage raised an untranslated error, counted as transient",
        level="error",
        fields=("exc_info",),
        cause=(),
        meaning="A defect: the role's code met an error that it does not know. The record is retried.",
        action="Report it with the traceback.",
        alert="yes",
    ),
    LogEvent(
        name="failed record cannot be described, its dead letter lacks its headers",
        level="error",
        meaning="The record's headers or its error cannot be written; its bytes and the reason are.",
        action="Report it with the traceback.",
        alert="yes",
    ),
    LogEvent(
        name="stage could not announce that a record failed",
        level="error",
        meaning="The dead letter was written, but the caller gets no event about the failure.",
        action="Report it with the traceback.",
        alert="yes",
    ),
    LogEvent(
        name="record headers cannot be read; processing without them",
        level="warning",
        fields=("record", "error"),
        meaning="A header's name is not UTF-8. Trace and lane of the record are lost, nothing else.",
        action="Repair the program that sends it.",
    ),
    LogEvent(
        name="failure reported by another record",
        level="info",
        fields=("origin", "owner"),
        meaning="A copy of the same request has failed already, so this one ends without a second failure.",
    ),
)

DEPENDENCIES: Final = (
    LogEvent(
        name="dependency is down, intake pauses",
        level="warning",
        fields=("dependency", "error"),
        meaning="Records need a service that does not answer. Nothing new is taken; nothing is lost.",
        action="Restore the service. Work resumes by itself.",
        alert="when it lasts",
    ),
    LogEvent(
        name="dependency is up again, intake resumes",
        level="info",
        fields=("dependency", "probes"),
        meaning="The service answered a probe; parked records run.",
    ),
    LogEvent(
        name="dependency does not answer",
        level="warning",
        fields=("dependency", "seconds", "error"),
        meaning="A service has answered no regular probe for so long, whether or not a record needs it now.",
        action="Restore the service, or its credentials and network.",
        alert="when it lasts",
    ),
    LogEvent(
        name="dependency answers again",
        level="info",
        fields=("dependency",),
        meaning="The end of *dependency does not answer*.",
    ),
    LogEvent(
        name="bucket cannot be used",
        level="warning",
        fields=("bucket", "error"),
        meaning="The store does not answer, refuses the credentials, or has no such bucket; `error` says which.",
        action="Do what `error` says.",
        alert="when it lasts",
    ),
    LogEvent(
        name="bucket can be used again",
        level="info",
        fields=("bucket",),
        meaning="The end of *bucket cannot be used*.",
    ),
    LogEvent(
        name="probe raised; the service counts as down",
        level="error",
        fields=("service",),
        cause=("service",),
        meaning="A defect in a probe.",
        action="Report it with the traceback.",
        alert="yes",
    ),
)

GROUP: Final = (
    LogEvent(
        name="partitions assigned",
        level="info",
        fields=("partitions", "count"),
        meaning="The group gave this process partitions. `partitions` lists the first 50.",
    ),
    LogEvent(
        name="partitions revoked",
        level="info",
        fields=("partitions", "count"),
        meaning="The group takes partitions back; attempts that run may finish first.",
    ),
    LogEvent(
        name="partitions lost",
        level="warning",
        fields=("partitions", "count"),
        meaning="The group has given the partitions to others: this process was silent for too long.",
        action="Look for a frozen machine, a broken network or a coordinator that moved.",
        alert="when it lasts",
    ),
    LogEvent(
        name="drain timed out, the rest is left to the next holder",
        level="warning",
        fields=("in_flight_records",),
        meaning="Attempts still ran when the drain's time was over. They run again elsewhere.",
        action="Frequent ones: raise KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS and the supervisor's time.",
    ),
    LogEvent(
        name="the process that held this partition ended; its records are named before they run",
        level="warning",
        fields=("topic", "partition", "offset"),
        meaning="The former holder crashed or was killed. A record that kills processes will be found.",
        action="Look for the end of the former process: memory limit, GPU, kill.",
        alert="when it lasts",
    ),
    LogEvent(
        name="the topic was created again or its log cut off; the new log is read from its beginning",
        level="warning",
        fields=("topic", "partition", "former_id", "id"),
        meaning="Offsets of the old log mean nothing in the new one.",
        action="Nothing if the topic was created again on purpose; otherwise look at the broker.",
        alert="yes",
    ),
    LogEvent(
        name="reading retry topics of former delays too",
        level="info",
        fields=("topics",),
        meaning="The delays were changed; what waits in the old retry topics is still processed.",
    ),
    LogEvent(
        name="the group does not count this process as a member",
        level="warning",
        meaning="The broker has given its partitions to others, or lost the group; it joins again by itself.",
        action="Frequent ones: a frozen machine, or a coordinator that moves.",
        alert="when it lasts",
    ),
)
