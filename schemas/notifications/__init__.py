"""Parsing of bucket notifications of all supported object stores and bridges to one form.

::

    value ──▶ unwrap (SNS, SQS, a batch) ──▶ store's record or EventBridge event ──▶ ObjectCreated | SkippedEvent

A notification is a hint: stores repeat, reorder and lose them. The object is looked up before it is used.
"""

from schemas.notifications.events import Dialect, Notification, ObjectCreated, SkippedEvent
from schemas.notifications.ownership import is_own_object
from schemas.notifications.parsing import parse_notification, split_notification
from schemas.notifications.references import (
    RequestedOptions,
    requested_at,
    requested_options,
    to_reference,
    valid_options,
)

__all__ = [
    "Dialect",
    "Notification",
    "ObjectCreated",
    "RequestedOptions",
    "SkippedEvent",
    "is_own_object",
    "parse_notification",
    "requested_at",
    "requested_options",
    "split_notification",
    "to_reference",
    "valid_options",
]
