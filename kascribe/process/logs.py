"""Configuration of logs: text on a terminal, JSON elsewhere, with secrets redacted."""

import logging
import re
import sys
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from consumers.runtime.execution.job_log import job_context
from kascribe.console.terminal import one_line, visible
from kascribe.process.repeated_lines import RepeatedKafkaLines
from schemas.clock import SystemClock
from schemas.settings import LogSettings

REDACTED: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(r"(?i)(secret|password|passwd|token$|api_?key|authorization|credential)")
_SECRET_IN_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)
_json = False
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(settings: LogSettings, *, stream: TextIO = sys.stderr) -> None:
    """Send every line, ours and those of libraries, to ``stream``. Safe to repeat.

    Lines carry what is bound to the context (a job's record, attempt, trace_id and job_id), so a stage only has
    to log what it does.
    """
    level = _LEVELS[settings.level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        job_context,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderers = _renderers(settings, stream)
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    handler.addFilter(RepeatedKafkaLines(SystemClock()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log from warning on: at info, httpx logs every request with its URL, which may hold secrets.
    root.setLevel(max(level, logging.WARNING))


def configure_process(settings: LogSettings) -> None:
    """Configure the logs of a whole process: its warnings and its last error are logged like its lines."""
    global _json  # noqa: PLW0603 - the process's, as sys.excepthook is
    configure_logs(settings)
    logging.captureWarnings(True)
    _json = not _on_terminal(settings, sys.stderr)
    if _json:
        sys.excepthook = _excepthook


def writes_json() -> bool:
    """Return whether the log lines of this process are JSON, so that every line has to be."""
    return _json


def log_end(sentence: str, error: BaseException | None) -> None:
    """Log the last line of a process: ``why`` is the sentence."""
    structlog.get_logger(__name__).error("the process ends", why=sentence, exc_info=error)


def _excepthook(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    log_end(f"a defect: {error!r}", error)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Redact values that are named like a secret, typed as one, or part of a URL (a structlog processor)."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr) or (_SECRET_NAME.search(name) and isinstance(value, str | bytes)):
        return REDACTED
    if isinstance(value, dict):
        return {inner: _redacted(str(inner), content) for inner, content in value.items()}
    if isinstance(value, str) and "@" in value:
        return _SECRET_IN_URL.sub(rf"\g<scheme>{REDACTED}@", value)
    return value


def _on_terminal(settings: LogSettings, stream: TextIO) -> bool:
    return settings.format == "console" or (settings.format == "auto" and stream.isatty())


def _renderers(settings: LogSettings, stream: TextIO) -> list[Processor]:
    if _on_terminal(settings, stream):
        return [
            structlog.processors.format_exc_info,
            _shown,
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        # A pod's log is read on a terminal as well; within JSON, an escape means the same.
        _line_shown,
    ]


def _line_shown(_logger: WrappedLogger, _method: str, line: Any) -> str:
    """Escape control characters in a rendered line (a processor behind a renderer)."""
    return visible(line)


def _shown(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters and line breaks in names and values (a processor)."""
    return {
        one_line(str(name)): visible(value) if name == "exception" else one_line(str(value))
        for name, value in event.items()
    }
