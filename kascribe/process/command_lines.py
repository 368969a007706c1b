"""The log lines of commands: warnings alone, for people, on standard error beside the command's result."""

import logging
import sys

import structlog

from kascribe.process.redaction import Redaction
from kascribe.process.safe_stream import SafeLogger, SafeStream


def configure_command_lines() -> None:
    """Send the lines of the code below a command to standard error. A role configures its own log after that.

    Standard output is the result, which scripts and agents read. Imports little, for commands that end at once.
    """
    safe = SafeStream(sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            Redaction(),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: SafeLogger(safe),
    )
