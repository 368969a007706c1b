"""How a process ends that cannot go on: with one sentence, in its log where that is JSON, else on stderr."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from kascribe.console import terminal

THREAD_DIED_EXIT_CODE: Final = 70
"""``EX_SOFTWARE`` of sysexits.h. A supervisor starts the process again; its records are redelivered."""


def report_end(sentence: str, error: BaseException | None = None) -> None:
    """Writes the sentence, and the traceback of ``error``."""
    logs = sys.modules.get("kascribe.process.logs")
    if logs is not None and logs.writes_json():
        logs.log_end(sentence, error)
        return
    if error is not None:
        terminal.print_traceback(error)
    terminal.notify(f"kascribe: {sentence}")


@contextmanager
def ended_by_dead_threads(*, end: Callable[[int], object] = os._exit) -> Iterator[None]:
    """Within the context a thread that dies of an exception ends the process, whichever thread it is.

    Every thread here does work that another part waits for, and what may fail in it is caught in it: what comes
    out is a defect, and the part that waits would wait for ever. No drain: it may need the thread that died.
    """

    def died(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread is not None else "unknown"
        error = arguments.exc_value or arguments.exc_type()
        report_end(
            f"the thread {name} died of {error!r}; the process ends with exit code {THREAD_DIED_EXIT_CODE}, so "
            "that a new one takes over",
            error,
        )
        end(THREAD_DIED_EXIT_CODE)

    before, threading.excepthook = threading.excepthook, died
    try:
        yield
    finally:
        threading.excepthook = before
