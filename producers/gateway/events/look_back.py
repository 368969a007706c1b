"""The start of the board: the latest events before the first one that the follower receives."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from producers.gateway.events.hub import JobHub
from producers.gateway.events.ports import EventHistory
from schemas.clock import Clock
from schemas.errors import DependencyDown
from schemas.kafka.records import Record

LOOK_BACK: Final = timedelta(minutes=15)
LOOK_BACK_RECORDS: Final = 20_000
"""Of all partitions together."""

LOOK_BACK_SECONDS: Final = 5.0
"""Longest delay of the start; a partition is read whole or not at all, so the last read may take longer."""

_log: Final = structlog.get_logger(__name__)


def look_back(hub: JobHub, history: EventHistory, ends: Mapping[int, int], *, clock: Clock) -> None:
    """Show the latest events before ``ends`` to the hub, which begins there. Blocks; never raises.

    What is not read, since it is too much or the broker is too slow, is read later for each job that a client asks
    for.
    """
    now = clock.now()
    deadline = clock.monotonic() + LOOK_BACK_SECONDS
    records_limit = LOOK_BACK_RECORDS // max(len(ends), 1)
    starts, complete_from = dict(ends), now - LOOK_BACK
    found: list[Record] = []
    try:
        for partition, end in ends.items():
            if clock.monotonic() >= deadline:
                complete_from = now
                break
            begun = history.offset_at(partition, now - LOOK_BACK) or 0
            start = max(begun, end - records_limit)
            records, _ = history.read(partition, start, end, records_limit=records_limit)
            starts[partition] = start
            found += records
            if start > begun and records:
                complete_from = max(complete_from, moment_of(records[0]))
    except DependencyDown as error:
        _log.warning("no events before the start are read", error=str(error))
        complete_from = now
    hub.begin(starts, complete_from=complete_from)
    for record in found:
        hub.take(record)


def moment_of(record: Record) -> datetime:
    """Return when a record was written."""
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
