"""All log events by name. A test holds every log call of the product to it."""

from collections.abc import Iterable, Mapping
from typing import Final

from kascribe.process.log_events import gateway, kafka_clients, process, roles, runtime
from kascribe.process.log_events.event import LogEvent

AREAS: Final[Mapping[str, Iterable[LogEvent]]] = {
    "Records": runtime.RECORDS,
    "Dependencies": runtime.DEPENDENCIES,
    "Group and partitions": runtime.GROUP,
    "Kafka clients": kafka_clients.EVENTS,
    "Jobs": roles.JOBS,
    "Webhooks": roles.WEBHOOKS,
    "Archive": roles.ARCHIVE,
    "Reconciler": roles.RECONCILER,
    "Gateway": gateway.EVENTS,
    "Process": process.EVENTS,
}
"""The rows of the page about logs, by the heading above them."""

EVENTS: Final[Mapping[str, LogEvent]] = {event.name: event for area in AREAS.values() for event in area}
