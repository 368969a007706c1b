"""The roles of a deployment, by the names that commands, events, metrics and consumer groups use."""

from enum import StrEnum


class Role(StrEnum):
    """The roles of a deployment; any number of each."""

    TRANSCRIBER = "transcriber"
    ENRICHER = "enricher"
    GATEWAY = "gateway"
    ARCHIVE = "archive"
    NOTIFIER = "notifier"
