"""The groups of operations in the OpenAPI document."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Tag(StrEnum):
    """The group of an operation; each route has one: ``tags=[Tag.JOBS]``."""

    TRANSCRIBE = "Transcribe in one request"
    OPENAI = "OpenAI-compatible"
    JOBS = "Jobs"
    ARCHIVE = "Archive"
    EVENTS = "Events"
    SESSION = "Sessions"
    OPERATION = "Operation"


TAG_TEXTS: Final[Mapping[Tag, str]] = {
    Tag.TRANSCRIBE: "A file in, its text in the response. The client waits; disconnecting cancels the job.",
    Tag.OPENAI: "The routes that OpenAI's clients call. Failures have the shape of OpenAI's error object.",
    Tag.JOBS: "Jobs that outlive the request: submit, read the state and the results, cancel, delete.",
    Tag.ARCHIVE: "All jobs that there were: listed, searched by their words, summed up. Needs an archive "
    "(`KASCRIBE_ARCHIVE_URL`).",
    Tag.EVENTS: "Server-sent events of jobs, resumed with `Last-Event-ID`.",
    Tag.SESSION: "API keys as cookies, for pages of this gateway.",
    Tag.OPERATION: "Health and metrics, for orchestrators and monitoring.",
}
"""What each group is for, in the order in which pages show them."""
