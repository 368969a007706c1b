"""The end of a process that cannot continue: one sentence, in its log if that is JSON, otherwise on stderr."""

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
    """Write the sentence, and the traceback of ``error``."""
    logs = sys.modules.get("kascribe.process.logs")
    if logs is not None and logs.log_end(sentence, error):
        return
    if error is not None:
        terminal.print_traceback(error)
    terminal.notify(f"kascribe: {sentence}")


@contextmanager
def ended_by_dead_threads(*, end: Callable[[int], object] = os._exit) -> Iterator[None]:
    """End the process when a thread dies of an exception while the context lasts.

    Every thread does work that another one waits for, and catches its expected errors: any other exception is a
    defect, and the waiting thread would wait forever. No drain: it may need the thread that died.
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
