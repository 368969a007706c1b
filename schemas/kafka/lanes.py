"""The lane of a record before it is decoded, from its value alone: an event's, or a dropped object's.

Publishers name the lane in the value only, so flow control, workers and engine cannot disagree.
"""

from typing import Any, Final

from pydantic_core import from_json

from schemas.errors import JobError
from schemas.kafka.records import Record
from schemas.notifications import parse_notification, valid_options
from schemas.options import Lane

_INTERACTIVE: Final = Lane.INTERACTIVE.value.encode()
"""A value without this word, in upper or lower case, is bulk: a search costs far less than decoding."""


def lane_of(record: Record) -> Lane:
    """Return the lane that a record's value names; bulk where it names none or cannot be read. Never raises.

    A notification names it only where the store reports the object's metadata; otherwise the lane is known, and
    used by the engine, once the object is looked up.
    """
    value = record.value or b""
    if _INTERACTIVE not in value.lower():
        return Lane.BULK
    try:
        found: Any = from_json(value)
    except ValueError:
        return Lane.BULK
    if isinstance(found, dict) and "lane" in found:
        return Lane.INTERACTIVE if found["lane"] == Lane.INTERACTIVE.value else Lane.BULK
    return _lane_of_objects(value)


def _lane_of_objects(value: bytes) -> Lane:
    try:
        created = parse_notification(value).created
    except JobError:
        return Lane.BULK
    lanes = {valid_options(one.user_metadata or {}).lane for one in created}
    return Lane.INTERACTIVE if Lane.INTERACTIVE in lanes else Lane.BULK
