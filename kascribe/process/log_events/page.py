"""The page about logs: every event, its fields, what to do, and whether to alert on it."""

from collections.abc import Iterable
from typing import Final

from kascribe.documents.markdown import page, table
from kascribe.process.log_events.catalogue import AREAS
from kascribe.process.log_events.event import LogEvent

_INTRODUCTION: Final = """
Every process writes lines to standard error: for people on a terminal, otherwise one JSON object a line
(`KASCRIBE_LOG_FORMAT`). `event` is one of the names below, which are fixed; `level`, `timestamp` (UTC) and the
fields of the event follow. `KASCRIBE_LOG_LEVEL` is the lowest level that is written.

A line about a record names it: `record` (`topic[partition]@offset`), `attempt` (from 1), `trace_id`, and `job_id`
as soon as the job is known. Searching for a job or a trace gives all that happened to it, in every role:

```sh
jq -c 'select(.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736")' transcriber.jsonl enricher.jsonl
```

Each retry, dead letter, wait, cancellation and drop of a record has its line. Other lines that repeat one cause
are written once a minute, with the number of those before it as `left_out`; this holds for libraries too, whose
lines have a `logger`. A line with another cause is never left out: *cause* below names the fields that make one.

No line holds text of a transcript or a prompt, at any level. Secrets are replaced by `[redacted]`: those of the
settings and of AWS's and Hugging Face's variables wherever they stand, and whatever has the form of one, such as
the query of an address, which presigned addresses sign in.

Not JSON are: an error in the command line itself (`kascribe run nonsense`), and what the C library, CUDA or Python
write as a process crashes (with `PYTHONFAULTHANDLER=1`, the stacks of a crash).

*Alert*: **yes** means that one line is worth a look; *when it lasts*, that single lines belong to normal
operation, and many within minutes, or one without its end, do not.
"""


_FILES: Final = """
`KASCRIBE_LOG_FILE=/var/log/kascribe/{role}.log` appends every line, as JSON, to that file as well; standard error
stays as it is. The file is made for its owner to write and its group to read, and its folder if there is none.
Containers log to standard error alone: their root is read-only in the Helm chart and in `deploy/compose.yaml`, so
leave the file unset there.

- It is rotated at `KASCRIBE_LOG_FILE_LIMIT_BYTES`: `transcriber.log.1` is the newest of `KASCRIBE_LOG_KEPT_FILES`.
- Several processes may share one path. Each line is one append, and one of them rotates the file for all.
- A full disk stops no work: lines go to standard error alone until there is room, and the file then says how many
  it lacks. What cannot be written to standard error is dropped.

To leave rotation to logrotate, set `KASCRIBE_LOG_FILE_LIMIT_BYTES=0`. A file that was moved or removed is made
again within a second, so no signal is needed; `SIGHUP` ends a role as `SIGTERM` does:

```
/var/log/kascribe/*.log {
    daily
    rotate 14
    compress
    delaycompress
    missingok
    notifempty
    nocreate
}
```
"""


def logs_page() -> str:
    """Return the page: the events worth an alert, all of them by area, and the log files."""
    worth = [event for area in AREAS.values() for event in area if event.alert != "no"]
    alerts = "## Worth an alert\n\n" + table(
        ("event", "alert", "what to do"),
        ((f"`{event.name}`", _alert(event), event.action) for event in worth),
    )
    files = "## Log files\n\n" + _FILES.strip()
    areas = [f"## {heading}\n\n{_table(events)}" for heading, events in AREAS.items()]
    return page("Logs", _INTRODUCTION, alerts, *areas, files)


def _table(events: Iterable[LogEvent]) -> str:
    rows = (
        (
            f"`{event.name}`",
            event.level,
            ", ".join(f"`{field}`" for field in event.fields if field != "exc_info"),
            f"{event.meaning} {event.action}".strip(),
            _cause(event),
            _alert(event),
        )
        for event in events
    )
    return table(("event", "level", "fields", "meaning, and what to do", "cause", "alert"), rows)


def _cause(event: LogEvent) -> str:
    if event.cause is None:
        return ""
    fields = [f"`{field}`" for field in event.cause]
    return ", ".join([*fields, "the exception"] if "exc_info" in event.fields or not fields else fields)


def _alert(event: LogEvent) -> str:
    return "**yes**" if event.alert == "yes" else event.alert
