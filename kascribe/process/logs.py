"""Configuration of logs: text on a terminal, JSON elsewhere and in the log file, with secrets redacted."""

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from consumers.runtime.execution.job_log import job_context
from kascribe.console.terminal import one_line, print_traceback, visible
from kascribe.process.log_file import LogFile
from kascribe.process.log_upkeep import LogUpkeep
from kascribe.process.redaction import REDACTED, Redaction
from kascribe.process.repeated_lines import RepeatedLibraryLines, RepeatedLines
from kascribe.process.safe_stream import LOG_LOCK, SafeLogger, SafeStream
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.settings import LogSettings

__all__ = ["REDACTED", "configure_logs", "configure_process", "log_end"]

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_FIRST: Final = ("timestamp", "level", "event")
_json = False
_upkeep: LogUpkeep | None = None


def configure_logs(
    settings: LogSettings,
    *,
    stream: TextIO = sys.stderr,
    file: LogFile | None = None,
    secrets: Iterable[str] = (),
    lines: RepeatedLines | None = None,
) -> None:
    """Send every line, ours and those of libraries, to ``stream``, and as JSON to ``file``. Safe to repeat.

    Lines carry what is bound to the context (a job's record, attempt, trace_id and job_id), so a stage only has
    to log what it does. ``secrets`` are values that no line may show; ``lines`` decides which repeated lines do.
    """
    level = _LEVELS[settings.level]
    lines = lines or RepeatedLines(SystemClock())
    safe = SafeStream(stream)
    context: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        job_context,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[Processor] = [
        structlog.processors.format_exc_info,
        Redaction(secrets),
        *_renderers(file, on_terminal=_on_terminal(settings, stream), colors=stream.isatty()),
    ]
    structlog.configure(
        processors=[lines.limit_event, *context, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: SafeLogger(safe),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(safe)
    handler.lock = LOG_LOCK  # not one of its own: safe_stream says why
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *context,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=["left_out"]),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    handler.addFilter(RepeatedLibraryLines(lines))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log from warning on: at info, httpx logs every request with its URL, which may hold secrets.
    root.setLevel(max(level, logging.WARNING))


def configure_process(settings: LogSettings, *, role: str = "", secrets: Iterable[str] = ()) -> None:
    """Configure the logs of a whole process: its warnings and its last error are logged like its lines.

    Safe to repeat. Raises ConfigurationError when the log file cannot be opened.
    """
    global _json, _upkeep  # noqa: PLW0603 - the process's, as sys.excepthook is
    if _upkeep is not None:
        _upkeep.close()
    lines = RepeatedLines(SystemClock())
    _upkeep = upkeep = LogUpkeep(lines)
    upkeep.file = _opened_file(settings, upkeep, role=role)
    configure_logs(settings, file=upkeep.file, secrets=secrets, lines=lines)
    upkeep.start()
    logging.captureWarnings(True)
    _json = not _on_terminal(settings, sys.stderr)
    if _json or upkeep.file:
        sys.excepthook = _excepthook
        sys.unraisablehook = _unraisablehook


def log_end(sentence: str, error: BaseException | None) -> bool:
    """Log the last line of a process: ``why`` is the sentence. Lines that were left out are counted before it.

    Return False for a terminal: there the caller writes the sentence, and this line is in the log file alone.
    """
    if _upkeep is not None:
        _upkeep.close()
    if _json:
        structlog.get_logger(__name__).error("the process ends", why=sentence, exc_info=error)
        return True
    event: Any = {"event": "the process ends", "why": sentence, "exc_info": error}
    for processor in structlog.get_config()["processors"]:  # one of them appends to the file
        event = processor(None, "error", event)
    return False


def _opened_file(settings: LogSettings, upkeep: LogUpkeep, *, role: str) -> LogFile | None:
    if settings.file is None:
        return None
    path = Path(str(settings.file).replace("{role}", role or "kascribe")).expanduser()
    try:
        return LogFile(
            path,
            limit_bytes=settings.file_limit_bytes,
            kept_files=settings.kept_files,
            clock=SystemClock(),
            on_change=upkeep.wake,
        )
    except OSError as error:
        raise ConfigurationError(
            f"the log file {path} cannot be opened ({error.strerror}): make its folder writable for this user, or "
            "set KASCRIBE_LOG_FILE to another path"
        ) from error


def _excepthook(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    if not log_end(f"a defect: {error!r}", error):
        print_traceback(error)


def _unraisablehook(ignored: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger(__name__).error(
        "an exception was ignored",
        where=f"{ignored.err_msg or 'Exception ignored in'}: {ignored.object!r}",
        exc_info=ignored.exc_value,
    )


def _on_terminal(settings: LogSettings, stream: TextIO) -> bool:
    return settings.format == "console" or (settings.format == "auto" and stream.isatty())


def _renderers(file: LogFile | None, *, on_terminal: bool, colors: bool) -> list[Processor]:
    as_json: list[Processor] = [
        _in_order,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        # A pod's log is read on a terminal as well; within JSON, an escape means the same.
        _line_shown,
    ]

    def append(_logger: WrappedLogger, _method: str, line: Any) -> Any:
        if file is not None:
            file.write(line)
        return line

    def append_as_json(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        line: Any = dict(event)
        for processor in (*as_json, append):
            line = processor(logger, method, line)
        return event

    if not on_terminal:
        return [*as_json, append] if file else as_json
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return [append_as_json, _shown, console] if file else [_shown, console]


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put first what a reader looks for first (a processor)."""
    return {**{name: event[name] for name in _FIRST if name in event}, **event}


def _line_shown(_logger: WrappedLogger, _method: str, line: Any) -> str:
    """Escape control characters in a rendered line (a processor behind a renderer)."""
    return visible(line)


def _shown(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters and line breaks in names and values (a processor)."""
    return {
        one_line(str(name)): visible(value) if name == "exception" else one_line(str(value))
        for name, value in event.items()
    }
